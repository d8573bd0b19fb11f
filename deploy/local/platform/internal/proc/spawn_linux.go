package proc

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// The kernel sends a parent-death signal when the *thread* that forked ends, so every child is forked from one thread
// that lives as long as the process.
var (
	spawnerOnce sync.Once
	spawnQueue  chan func()
)

func onSpawner(work func()) {
	spawnerOnce.Do(func() {
		spawnQueue = make(chan func())
		go func() {
			runtime.LockOSThread()
			for f := range spawnQueue {
				f()
			}
		}()
	})
	done := make(chan struct{})
	spawnQueue <- func() { defer close(done); work() }
	<-done
}

// Spawn starts cmd in its own process group; the kernel kills it when this process ends, however it ends.
func Spawn(cmd *exec.Cmd) error { return spawn(cmd, 0) }

// SpawnApart does the same in network, mount and process namespaces of its own. With cmd ends all that is in them.
func SpawnApart(cmd *exec.Cmd) error {
	return spawn(cmd, syscall.CLONE_NEWNET|syscall.CLONE_NEWNS|syscall.CLONE_NEWPID)
}

func spawn(cmd *exec.Cmd, namespaces uintptr) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: namespaces}
	var err error
	onSpawner(func() { err = cmd.Start() })
	return err
}
