package proc

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"openclaw.io/local/platform/internal/cgroup"
)

// Janitor is a tiny process that outlives its supervisor just long enough to clean up after it. The supervisor tells it,
// over a pipe, which process groups and directories are its own; when the pipe ends without a farewell the supervisor
// died (kill -9, out of memory), and the janitor ends the groups and removes the directories.
type Janitor struct {
	mu   sync.Mutex
	pipe io.WriteCloser
	cmd  *exec.Cmd
}

// StartJanitor starts `program janitor`.
func StartJanitor(program string) (*Janitor, error) {
	cmd := exec.Command(program, "janitor")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the janitor: %w", err)
	}
	return &Janitor{pipe: pipe, cmd: cmd}, nil
}

func (j *Janitor) tell(verb, what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	fmt.Fprintf(j.pipe, "%s %s\n", verb, what)
}

// OwnGroup and LostGroup follow the process groups that are alive.
func (j *Janitor) OwnGroup(pgid int)  { j.tell("group", strconv.Itoa(pgid)) }
func (j *Janitor) LostGroup(pgid int) { j.tell("gone", strconv.Itoa(pgid)) }

// OwnCgroup names a real node's cgroup, to be removed likewise.
func (j *Janitor) OwnCgroup(name string) { j.tell("cgroup", name) }

// OwnPath names a directory or file to be removed should the supervisor die.
func (j *Janitor) OwnPath(path string) { j.tell("path", path) }

// Dismiss ends the janitor without any cleaning: the supervisor did it all.
func (j *Janitor) Dismiss() {
	j.tell("bye", "")
	j.pipe.Close()
	_ = j.cmd.Wait()
}

// RunJanitor is the janitor's own life.
func RunJanitor(in io.Reader) {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	groups, paths, cgroups := map[int]bool{}, []string{}, []string{}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		verb, what, _ := strings.Cut(lines.Text(), " ")
		switch verb {
		case "bye":
			return
		case "group", "gone":
			if pgid, err := strconv.Atoi(what); err == nil && pgid > 1 {
				groups[pgid] = verb == "group"
			}
		case "path":
			paths = append(paths, what)
		case "cgroup":
			cgroups = append(cgroups, what)
		}
	}
	for pgid, alive := range groups {
		if alive {
			_ = syscall.Kill(-pgid, syscall.SIGKILL)
		}
	}
	awaitEnd(groups)
	for _, name := range cgroups {
		_ = cgroup.Remove(name)
	}
	for _, path := range paths {
		if filepath.IsAbs(path) {
			_ = os.RemoveAll(path)
		}
	}
}

// awaitEnd waits until the killed groups are gone, so that nobody writes into a directory that is being removed.
func awaitEnd(groups map[int]bool) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for pgid, alive := range groups {
		for alive && syscall.Kill(-pgid, 0) == nil && !defunct(pgid) {
			select {
			case <-tick.C:
			case <-deadline:
				return
			}
		}
	}
}

// defunct: in a container whose first process does not reap orphans a dead process keeps its number, and only that.
func defunct(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z")
}
