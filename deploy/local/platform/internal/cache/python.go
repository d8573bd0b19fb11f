package cache

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const requirements = "emulators/requirements.txt"

// python returns an interpreter that can import the emulators. They are installed into a virtual environment, or, where
// Python comes without that module, into a plain directory with a script that sets PYTHONPATH to it.
func (c *Cache) python() (string, error) {
	system, version, err := systemPython()
	if err != nil {
		return "", err
	}
	dir, err := c.place("python", []string{requirements}, system, version)
	if err != nil {
		return "", err
	}
	complete := filepath.Join(dir, "complete")
	err = c.once(dir, complete, "installing the AWS emulators (Python)", func() error { return c.installPython(system, dir, complete) })
	if err != nil {
		return "", err
	}
	if venv := filepath.Join(dir, "venv", "bin", "python"); exists(venv) {
		return venv, nil
	}
	return filepath.Join(dir, "python"), nil
}

func systemPython() (path, version string, err error) {
	path, err = exec.LookPath("python3")
	if err != nil {
		return "", "", errors.New("python3 is not installed; the AWS emulators need Python 3.10 or newer (Debian: apt install python3 python3-venv)")
	}
	out, err := exec.Command(path, "-c", "import sys; print('%d.%d' % sys.version_info[:2]); sys.exit(sys.version_info < (3, 10))").Output()
	version = strings.TrimSpace(string(out))
	if err != nil {
		return "", "", fmt.Errorf("%s is Python %s; the AWS emulators need 3.10 or newer: %w", path, version, err)
	}
	return path, version, nil
}

func (c *Cache) installPython(system, dir, complete string) error {
	pins := filepath.Join(c.Source, requirements)
	pip := []string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r", pins}
	venv := filepath.Join(dir, "venv")
	if err := os.RemoveAll(venv); err != nil {
		return err
	}
	if noVenv := run(system, "-m", "venv", venv); noVenv == nil {
		if err := run(filepath.Join(venv, "bin", "python"), pip...); err != nil {
			return err
		}
	} else {
		_ = os.RemoveAll(venv)
		site := filepath.Join(dir, "site")
		if err := run(system, append(pip, "--target", site)...); err != nil {
			return fmt.Errorf("this Python has neither venv nor a working pip (Debian: apt install python3-venv)\n%w\n%w", noVenv, err)
		}
		script := fmt.Sprintf("#!/bin/sh\nPYTHONPATH='%s' exec '%s' \"$@\"\n", site, system)
		if err := os.WriteFile(filepath.Join(dir, "python"), []byte(script), 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(complete, nil, 0o644)
}

func run(path string, args ...string) error {
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", path, strings.Join(args, " "), err, lastLines(string(out), 15))
	}
	return nil
}
