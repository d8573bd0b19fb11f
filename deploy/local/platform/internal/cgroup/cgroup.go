// Package cgroup makes and removes the cgroup of a real node, in whichever version the machine has.
package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const mounted = "/sys/fs/cgroup"

// hierarchies are the roots below which a node's cgroup lies: one for each controller with cgroup v1, one with v2.
func hierarchies() ([]string, error) {
	if _, err := os.Stat(filepath.Join(mounted, "cgroup.controllers")); err == nil {
		return []string{mounted}, nil
	}
	entries, err := os.ReadDir(mounted)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, entry := range entries {
		if entry.IsDir() { // not the symbolic links for pairs of controllers
			found = append(found, filepath.Join(mounted, entry.Name()))
		}
	}
	return found, nil
}

// Make makes a node's cgroup everywhere.
func Make(name string) error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		dir := filepath.Join(root, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		// A cpuset that was just made has neither processors nor memory, and lets nobody in.
		for _, what := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(root, what))
			if err != nil {
				continue // another controller's
			}
			if err := os.WriteFile(filepath.Join(dir, what), value, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// Remove removes it with all that the kubelet made in it, once its processes are gone.
func Remove(name string) error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		err = errors.Join(err, removeTree(filepath.Join(root, name)))
	}
	return err
}

// removeTree removes directories from the leaves on. The kernel takes a moment to notice that a killed process is gone.
func removeTree(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	deadline := time.Now().Add(time.Minute)
	for n := len(dirs) - 1; n >= 0; n-- {
		for {
			err := os.Remove(dirs[n])
			if err == nil || errors.Is(err, os.ErrNotExist) {
				break
			}
			if time.Now().After(deadline) || !strings.Contains(err.Error(), "busy") {
				return err
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}
