// Package proc starts child processes that never outlive their supervisor.
package proc

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Spec says what to run.
type Spec struct {
	Name string // also the name of its log
	Path string
	Args []string
	Env  []string // added to the supervisor's environment
}

// Child is one running process.
type Child struct {
	Name string
	Pid  int
	done chan struct{}
	err  error
}

// Done is closed when the process has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Group is all children of one instance.
type Group struct {
	janitor *Janitor
	logs    string

	mu       sync.Mutex
	children []*Child
	stopping bool
	failed   chan error
}

// NewGroup keeps each child's output in the directory logs.
func NewGroup(janitor *Janitor, logs string) *Group {
	return &Group{janitor: janitor, logs: logs, failed: make(chan error, 1)}
}

// Failed yields an error when a child ends that nobody asked to end.
func (g *Group) Failed() <-chan error { return g.failed }

// Start runs spec.
func (g *Group) Start(spec Spec) (*Child, error) {
	log, err := os.Create(filepath.Join(g.logs, spec.Name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Env = append(os.Environ(), spec.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping {
		return nil, fmt.Errorf("not starting %s: the instance is ending", spec.Name)
	}
	if err := Spawn(cmd); err != nil {
		return nil, fmt.Errorf("starting %s (%s): %w", spec.Name, spec.Path, err)
	}
	child := &Child{Name: spec.Name, Pid: cmd.Process.Pid, done: make(chan struct{})}
	g.janitor.OwnGroup(child.Pid)
	g.children = append(g.children, child)
	go g.watch(cmd, child)
	return child, nil
}

func (g *Group) watch(cmd *exec.Cmd, child *Child) {
	child.err = cmd.Wait()
	// Whatever the child itself had started shares its group.
	_ = syscall.Kill(-child.Pid, syscall.SIGKILL)
	g.janitor.LostGroup(child.Pid)
	close(child.done)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping {
		return
	}
	err := fmt.Errorf("%s ended unexpectedly (%v); the end of its log:\n%s", child.Name, child.err, g.tail(child.Name))
	select {
	case g.failed <- err:
	default:
	}
}

func (g *Group) tail(name string) string {
	content, err := os.ReadFile(filepath.Join(g.logs, name+".log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-15):], "\n  ")
}

// Children lists name and process id of every child that was started.
func (g *Group) Children() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	pids := map[string]int{}
	for _, c := range g.children {
		pids[c.Name] = c.Pid
	}
	return pids
}

// Stop ends all children at once. Their state is thrown away with the instance, so none is asked politely.
func (g *Group) Stop() {
	g.mu.Lock()
	g.stopping = true
	children := g.children
	g.mu.Unlock()
	for _, c := range children {
		select {
		case <-c.done: // its number may belong to somebody else by now
		default:
			_ = syscall.Kill(-c.Pid, syscall.SIGKILL)
		}
	}
	deadline := time.After(10 * time.Second)
	for _, c := range children {
		select {
		case <-c.done:
		case <-deadline:
			return
		}
	}
}
