package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"openclaw.io/local/platform/internal/proc"
)

const guardUsage = `usage: platform.sh guard -- COMMAND ARGS…

Runs COMMAND with this environment and passes on its output, its exit code, and to it the signals that guard gets. When
guard's standard input ends, or guard is killed, COMMAND and what it started are killed: a test that holds the other end
of a pipe takes COMMAND with it however it dies. COMMAND itself reads nothing.
`

func guard(args []string) error {
	if len(args) > 0 && (args[0] == "--help" || args[0] == "-h") {
		_, err := io.WriteString(os.Stdout, guardUsage)
		return err
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return errors.New("nothing to run; platform.sh guard -- COMMAND ARGS…")
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := proc.Spawn(cmd); err != nil {
		return err
	}
	group := -cmd.Process.Pid
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = syscall.Kill(group, syscall.SIGKILL)
	}()
	go func() {
		for s := range signals {
			_ = syscall.Kill(cmd.Process.Pid, s.(syscall.Signal))
		}
	}()
	err := cmd.Wait()
	_ = syscall.Kill(group, syscall.SIGKILL) // what COMMAND left behind
	var ended *exec.ExitError
	if !errors.As(err, &ended) {
		return err
	}
	if state, ok := ended.Sys().(syscall.WaitStatus); ok && state.Signaled() {
		return exitCode(128 + int(state.Signal()))
	}
	return exitCode(ended.ExitCode())
}
