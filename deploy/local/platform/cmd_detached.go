package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"openclaw.io/local/platform/internal/instance"
	"openclaw.io/local/platform/internal/kube"
	"openclaw.io/local/platform/internal/progress"
)

func up(args []string) error {
	var options runOptions
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	options.flags(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := options.resolve(); err != nil {
		return err
	}
	if options.running() != 0 {
		info, err := instance.ReadInfo(options.dir)
		if err != nil {
			return fmt.Errorf("%s is starting already; its log is %s", &options.place, options.log())
		}
		say(os.Stderr, "%s runs already", &options.place)
		return announce(info)
	}
	// What may take minutes is done here, where it can be watched and interrupted.
	c, err := newCache(progress.New(os.Stderr))
	if err != nil {
		return err
	}
	if _, err := c.Fill(); err != nil {
		return err
	}
	if err := options.fill(c, &instance.Options{}); err != nil {
		return err
	}
	return start(options)
}

// start runs the supervisor in a session of its own and waits until it is ready or gone.
func start(options runOptions) error {
	if err := os.MkdirAll(base(), 0o700); err != nil {
		return err
	}
	log, err := os.Create(options.log())
	if err != nil {
		return err
	}
	defer log.Close()
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(program, options.runArgs()...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	err = kube.AwaitWithin(ctx, "the instance is ready", 3*kube.Patience, func(context.Context) error {
		select {
		case <-gone:
			cancel()
			return errors.New("the supervisor ended")
		default:
		}
		info, err := instance.ReadInfo(options.dir)
		if err == nil && info.Pid != cmd.Process.Pid {
			return errors.New("that is another instance's description")
		}
		return err
	})
	content, _ := os.ReadFile(options.log())
	if err != nil {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		os.Remove(options.log())
		return fmt.Errorf("%s did not start:\n%s", &options.place, strings.TrimSpace(string(content)))
	}
	fmt.Fprint(os.Stderr, withoutJSON(string(content)))
	info, err := instance.ReadInfo(options.dir)
	if err != nil {
		return err
	}
	return announce(info)
}

// runArgs are the arguments of run that mean the same.
func (o *runOptions) runArgs() []string {
	return []string{
		"run", "--dir", o.dir, fmt.Sprintf("--kwok=%v", o.kwok), fmt.Sprintf("--keep=%v", o.keep), fmt.Sprintf("--real-node=%v", o.realNode),
		"--openclaw", o.openclaw, "--openclaw-image", o.image,
		"--attach", o.attach.Kubeconfig, fmt.Sprintf("--attach-any=%v", o.attach.AnyContext),
		"--webhook-listen", o.attach.WebhookListen, "--webhook-host", o.attach.WebhookHost,
		"--volumes", o.attach.Volumes, "--node-volumes", o.attach.NodeVolumes,
	}
}

// withoutJSON drops the line by which the supervisor announced itself: up prints its own.
func withoutJSON(log string) string {
	var kept strings.Builder
	for line := range strings.Lines(log) {
		if !strings.HasPrefix(line, "{") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func down(args []string) error {
	var where place
	flags := flag.NewFlagSet("down", flag.ContinueOnError)
	where.flags(flags)
	all := flags.Bool("all", false, "end all instances of this user")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *all {
		var errs []error
		for _, one := range instances() {
			errs = append(errs, end(one))
		}
		return errors.Join(errs...)
	}
	if err := where.resolve(); err != nil {
		return err
	}
	return end(where)
}

// end stops one instance, and removes what a killed one may have left.
func end(where place) error {
	pid := where.running()
	if pid == 0 {
		say(os.Stderr, "%s does not run", &where)
	} else {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			return fmt.Errorf("stopping %s (process %d): %w", &where, pid, err)
		}
		if !goneWithin(where, 2*time.Minute) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			if !goneWithin(where, time.Minute) {
				return fmt.Errorf("%s (process %d) does not end", &where, pid)
			}
		}
		say(os.Stderr, "%s ended", &where)
	}
	os.Remove(where.log())
	if _, err := os.Stat(filepath.Join(where.dir, lockName)); err != nil {
		return nil // gone, or never an instance's
	}
	return instance.Clean(where.dir)
}

func goneWithin(where place, limit time.Duration) bool {
	err := kube.AwaitWithin(context.Background(), "gone", limit, func(context.Context) error {
		if where.running() != 0 {
			return errors.New("still there")
		}
		return nil
	})
	return err == nil
}

// instances are the named ones, those that run started without a directory, and those of which only a log is left
// because they failed.
func instances() []place {
	entries, _ := os.ReadDir(base())
	var found []place
	for _, entry := range entries {
		name, isLog := strings.CutSuffix(entry.Name(), ".log")
		dir := filepath.Join(base(), name)
		_, err := os.Stat(filepath.Join(dir, lockName))
		if isLog != (err == nil) { // a directory is there once, with its log or without
			found = append(found, place{name: name, dir: dir})
		}
	}
	return found
}
