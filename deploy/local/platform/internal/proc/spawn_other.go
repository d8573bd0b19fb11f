//go:build !linux

package proc

import (
	"errors"
	"os/exec"
	"syscall"
)

// Spawn starts cmd in its own process group. There is no parent-death signal here: the janitor ends what is left.
func Spawn(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd.Start()
}

// SpawnApart needs Linux.
func SpawnApart(*exec.Cmd) error { return errors.New("namespaces need Linux") }
