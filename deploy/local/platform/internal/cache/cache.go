// Package cache keeps everything that is built or downloaded outside the checkout, each thing under a hash of its pins,
// so that a second start takes seconds and another version of the pins does not disturb this one.
package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"openclaw.io/local/platform/internal/progress"
)

// Cache knows where sources and results are.
type Cache struct {
	Root   string // $OPENCLAW_PLATFORM_CACHE, or below the user's cache directory
	Source string // deploy/local in the checkout
	Log    *progress.Log
}

// Tools is what an instance runs.
type Tools struct {
	Etcd, APIServer, ControllerManager, Scheduler, Kubectl, Kwok string

	Python     string   // an interpreter with the emulators
	KwokStages []string // stage files
	GatewayAPI string   // directory of CRDs
	Optional   string   // directory of the CRDs that a cluster may do without
}

// Root says where the cache is.
func Root() (string, error) {
	if dir := os.Getenv("OPENCLAW_PLATFORM_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "openclaw-tenant-operator"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("there is no home directory to cache in; set OPENCLAW_PLATFORM_CACHE: %w", err)
	}
	return filepath.Join(home, ".cache", "openclaw-tenant-operator"), nil
}

// Fill builds and downloads whatever is missing. Python's packages are fetched while Go compiles.
func (c *Cache) Fill() (Tools, error) {
	var tools Tools
	python := make(chan error, 1)
	go func() {
		var err error
		tools.Python, err = c.python()
		python <- err
	}()
	err := errors.Join(c.kubernetes(&tools), c.kwok(&tools), c.definitions(&tools))
	return tools, errors.Join(err, <-python)
}

func (c *Cache) definitions(tools *Tools) error {
	var first, second error
	tools.GatewayAPI, first = c.manifests("gateway-api", gatewayAPI.what, gatewayAPI)
	tools.Optional, second = c.manifests("optional-kinds", "the CRDs that a cluster may do without", optionalKinds...)
	return errors.Join(first, second)
}

// place returns the directory for a thing whose pins are in files, and makes it.
func (c *Cache) place(kind string, files []string, more ...string) (string, error) {
	sum := sha256.New()
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(c.Source, file))
		if err != nil {
			return "", fmt.Errorf("reading the pins: %w", err)
		}
		sum.Write(content)
	}
	fmt.Fprint(sum, runtime.GOOS, runtime.GOARCH, strings.Join(more, " "))
	dir := filepath.Join(c.Root, kind, hex.EncodeToString(sum.Sum(nil))[:16])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the cache (another place: OPENCLAW_PLATFORM_CACHE): %w", err)
	}
	return dir, nil
}

// once makes what shows by the file or directory that it ends with, unless it is there. Of many processes one makes it; the others wait.
func (c *Cache) once(dir, done, what string, work func() error) error {
	if exists(done) {
		return nil
	}
	return c.locked(dir, func() error {
		if exists(done) {
			return nil
		}
		return c.Log.Stage(what, work)
	})
}

// locked runs work while no other process works on dir.
func (c *Cache) locked(dir string, work func() error) error {
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close() // which also unlocks
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		c.Log.Say("waiting for another build of %s", filepath.Base(filepath.Dir(dir)))
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
			return fmt.Errorf("locking %s: %w", lock.Name(), err)
		}
	}
	return work()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func allExist(paths []string) bool {
	for _, path := range paths {
		if !exists(path) {
			return false
		}
	}
	return true
}
