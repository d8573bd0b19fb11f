// Package progress tells a waiting person what happens and how long it takes.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	silence = 2 * time.Second  // stages that end sooner are only named in the summary
	repeat  = 15 * time.Second // a long stage is mentioned again this often
)

// Log writes progress lines; it is safe for stages that run side by side.
type Log struct {
	mu     sync.Mutex
	out    io.Writer
	begun  time.Time
	stages []stage
}

type stage struct {
	name string
	took time.Duration
}

// New returns a Log that writes to out.
func New(out io.Writer) *Log { return &Log{out: out, begun: time.Now()} }

// Say writes one line.
func (l *Log) Say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, "[%6.1fs] %s\n", time.Since(l.begun).Seconds(), fmt.Sprintf(format, args...))
}

// Stage runs work, speaks while it takes long, and keeps its time for Summary.
func (l *Log) Stage(name string, work func() error) error {
	begun := time.Now()
	done := make(chan struct{})
	var ticker sync.WaitGroup
	ticker.Add(1)
	go func() {
		defer ticker.Done()
		l.speakUntil(done, name, begun)
	}()
	err := work()
	close(done)
	ticker.Wait()
	took := time.Since(begun)
	l.mu.Lock()
	l.stages = append(l.stages, stage{name, took})
	l.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if took > silence {
		l.Say("%s: done in %.1fs", name, took.Seconds())
	}
	return nil
}

func (l *Log) speakUntil(done <-chan struct{}, name string, begun time.Time) {
	timer := time.NewTimer(silence)
	defer timer.Stop()
	for {
		select {
		case <-done:
			return
		case <-timer.C:
			l.Say("%s … (%.0fs so far)", name, time.Since(begun).Seconds())
			timer.Reset(repeat)
		}
	}
}

// Summary prints each stage's time, and the whole.
func (l *Log) Summary(title string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, "%s in %.1fs\n", title, time.Since(l.begun).Seconds())
	for _, s := range l.stages {
		fmt.Fprintf(l.out, "  %6.1fs  %s\n", s.took.Seconds(), s.name)
	}
}
