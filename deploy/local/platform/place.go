package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"openclaw.io/local/platform/internal/instance"
)

const lockName = "platform.lock"

// place is where an instance lives.
type place struct{ name, dir string }

func (p *place) flags(flags *flag.FlagSet) {
	flags.StringVar(&p.name, "name", "", `name of the instance (default "default")`)
	flags.StringVar(&p.dir, "dir", "", "directory of the instance, instead of a name")
}

// base is the directory of this user's instances.
func base() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("openclaw-platform-%d", os.Getuid()))
}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,40}$`)

func (p *place) resolve() error {
	if p.dir != "" {
		if p.name != "" {
			return errors.New("give --name or --dir, not both")
		}
		dir, err := filepath.Abs(p.dir)
		p.dir = dir
		return err
	}
	if p.name == "" {
		p.name = "default"
	}
	if !validName.MatchString(p.name) || p.name == "ports" {
		return fmt.Errorf("%q is no name for an instance: lower-case letters, digits and hyphens, and not \"ports\"", p.name)
	}
	p.dir = filepath.Join(base(), p.name)
	return nil
}

func (p *place) log() string { return p.dir + ".log" }

func (p *place) String() string {
	if p.name != "" {
		return "instance " + p.name
	}
	return "the instance in " + p.dir
}

// claim makes the directory this process's own for as long as it lives. What a killed instance left in it is removed; a
// directory with anything else in it is refused, since it is removed as a whole in the end.
func (p *place) claim() (*os.File, error) {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(p.dir, lockName)); err != nil {
			return nil, fmt.Errorf("%s is not empty; an instance needs a directory of its own", p.dir)
		}
	}
	lock, err := os.OpenFile(filepath.Join(p.dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		lock.Close()
		return nil, fmt.Errorf("%s runs already or is starting", p)
	}
	if !sameFile(lock) {
		lock.Close()
		return nil, fmt.Errorf("%s is being removed just now; try again", p)
	}
	for _, entry := range entries {
		if entry.Name() == lockName {
			continue
		}
		if err := os.RemoveAll(filepath.Join(p.dir, entry.Name())); err != nil {
			return nil, err
		}
	}
	if err := lock.Truncate(0); err != nil {
		return nil, err
	}
	_, err = fmt.Fprintln(lock, os.Getpid())
	return lock, err
}

// sameFile says whether the locked file is still the one that its path names.
func sameFile(lock *os.File) bool {
	held, err := lock.Stat()
	named, err2 := os.Stat(lock.Name())
	return err == nil && err2 == nil && os.SameFile(held, named)
}

// running returns the supervisor's process id, or 0. The lock tells, not the number: numbers are used again.
func (p *place) running() int {
	lock, err := os.Open(filepath.Join(p.dir, lockName))
	if err != nil {
		return 0
	}
	defer lock.Close()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return 0
	}
	content, _ := os.ReadFile(lock.Name())
	pid, _ := strconv.Atoi(strings.TrimSpace(string(content)))
	return pid
}

// ready returns the description of a running instance.
func (p *place) ready() (instance.Info, error) {
	if p.running() == 0 {
		return instance.Info{}, fmt.Errorf("%s does not run; start it with: platform.sh up", p)
	}
	return instance.ReadInfo(p.dir)
}
