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
	// Apart gives it network, mount and process namespaces of its own.
	Apart bool
	// Input and Output are pipes to whoever started it; without, it has none, and what it prints goes into its log.
	Input, Output *os.File
}

// Child is one running process.
type Child struct {
	Name string
	Pid  int
	done chan struct{}
	err  error

	halted bool // somebody asked for its end
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
	// A child that is started again goes on in the same log.
	log, err := os.OpenFile(filepath.Join(g.logs, spec.Name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Env = append(os.Environ(), spec.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	if spec.Input != nil {
		cmd.Stdin = spec.Input
	}
	if spec.Output != nil {
		cmd.Stdout = spec.Output
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping {
		return nil, fmt.Errorf("not starting %s: the instance is ending", spec.Name)
	}
	spawn := Spawn
	if spec.Apart {
		spawn = SpawnApart
	}
	if err := spawn(cmd); err != nil {
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
	if g.stopping || child.halted {
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

// Halt ends the children of these names as a lost machine would, and waits until they have ended. They may be started again.
func (g *Group) Halt(names ...string) {
	for _, c := range g.named(names) {
		g.mu.Lock()
		c.halted = true
		g.mu.Unlock()
		_ = syscall.Kill(-c.Pid, syscall.SIGKILL)
		<-c.done
	}
}

// Frozen runs work while the children of these names stand still.
func (g *Group) Frozen(names []string, work func() error) error {
	children := g.named(names)
	for _, c := range children {
		if err := syscall.Kill(-c.Pid, syscall.SIGSTOP); err != nil {
			return fmt.Errorf("freezing %s: %w", c.Name, err)
		}
		defer func() { _ = syscall.Kill(-c.Pid, syscall.SIGCONT) }()
	}
	return work()
}

// named finds running children, in the order of the names.
func (g *Group) named(names []string) []*Child {
	g.mu.Lock()
	defer g.mu.Unlock()
	var found []*Child
	for _, name := range names {
		for _, c := range g.children {
			if c.Name == name && !c.halted {
				found = append(found, c)
			}
		}
	}
	return found
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
	deadline := time.After(time.Minute)
	for _, c := range children {
		select {
		case <-c.done:
		case <-deadline:
			return
		}
	}
}
