package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"openclaw.io/local/platform/internal/cache"
	"openclaw.io/local/platform/internal/instance"
	"openclaw.io/local/platform/internal/node"
	"openclaw.io/local/platform/internal/progress"
)

func newCache(log *progress.Log) (*cache.Cache, error) {
	source := os.Getenv("OPENCLAW_PLATFORM_SOURCE")
	if source == "" {
		return nil, errors.New("OPENCLAW_PLATFORM_SOURCE is not set; start this program through deploy/local/platform.sh")
	}
	root, err := cache.Root()
	return &cache.Cache{Root: root, Source: source, Log: log}, err
}

func build(args []string) error {
	var wanted nodeOptions
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	wanted.flags(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	log := progress.New(os.Stderr)
	c, err := newCache(log)
	if err != nil {
		return err
	}
	if _, err := c.Fill(); err != nil {
		return err
	}
	if err := wanted.fill(c, &instance.Options{}); err != nil {
		return err
	}
	log.Summary("everything is in " + c.Root)
	return nil
}

type runOptions struct {
	place
	nodeOptions
	kwok, keep, untilEOF bool
	evidence             bool // leave behind what a test run is examined by
	attach               instance.Attach
}

// nodeOptions ask for a real node.
type nodeOptions struct {
	realNode        bool
	openclaw, image string // of the workspaces on it
}

func (o *nodeOptions) flags(flags *flag.FlagSet) {
	flags.BoolVar(&o.realNode, "real-node", false, "one real node instead of played ones: containers run, network policies are enforced (Linux, root)")
	flags.StringVar(&o.openclaw, "openclaw", "", "with --real-node: the directory into which tests/openclaw/install.sh has put OpenClaw; an image is made of it")
	flags.StringVar(&o.image, "openclaw-image", "ghcr.io/openclaw/openclaw:2026.9.6", "with --openclaw: what that image is called, as a class names it")
}

// evidenceVariable names the directory in which `run` leaves its instance's directory, with everything in it that a test
// run is examined by: see tests/evidence.
const evidenceVariable = "OPENCLAW_EVIDENCE_DIR"

func (o *runOptions) flags(flags *flag.FlagSet) {
	o.place.flags(flags)
	o.nodeOptions.flags(flags)
	flags.BoolVar(&o.kwok, "kwok", true, "play nodes and pods; without it pods stay Pending until nodes come from elsewhere")
	flags.StringVar(&o.attach.Kubeconfig, "attach", "", "serve the cluster of this kubeconfig instead of starting one (see deploy/kind)")
	flags.BoolVar(&o.attach.AnyContext, "attach-any", false, "also a cluster that kind did not make")
	flags.StringVar(&o.attach.WebhookListen, "webhook-listen", "127.0.0.1", "with --attach: address to listen on for the API server")
	flags.StringVar(&o.attach.WebhookHost, "webhook-host", "127.0.0.1", "with --attach: how the API server reaches that address")
	flags.StringVar(&o.attach.Volumes, "volumes", "", "with --attach: directory in which volumes are made")
	flags.StringVar(&o.attach.NodeVolumes, "node-volumes", "", "with --attach: that directory as the nodes see it")
	flags.BoolVar(&o.keep, "keep", false, "leave the instance's directory (logs, audit log) when it ends")
}

func runForeground(args []string) error {
	var options runOptions
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	options.flags(flags)
	flags.BoolVar(&options.untilEOF, "until-stdin-eof", false, "end when standard input ends, and so with whoever holds its other end")
	if err := parse(flags, args); err != nil {
		return err
	}
	if options.name == "" && options.dir == "" {
		options.dir = filepath.Join(base(), fmt.Sprintf("run-%d", os.Getpid()))
		if evidence := os.Getenv(evidenceVariable); evidence != "" {
			options.dir = filepath.Join(evidence, fmt.Sprintf("run-%d", os.Getpid()))
			options.keep, options.evidence = true, true
		}
	}
	if err := options.resolve(); err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(context.Background())
	go stopOnSignal(stop)
	if options.untilEOF {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop(errors.New("standard input ended"))
		}()
	}
	return run(ctx, options)
}

// errAsked is the reason for a stop that somebody wanted.
var errAsked = errors.New("asked to stop")

func stopOnSignal(stop context.CancelCauseFunc) {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	<-signals
	stop(errAsked)
}

// run keeps an instance until ctx ends or a part of it fails.
func run(ctx context.Context, options runOptions) (err error) {
	log := progress.New(os.Stderr)
	c, err := newCache(log)
	if err != nil {
		return err
	}
	tools, err := c.Fill()
	if err != nil {
		return err
	}
	var wanted instance.Options
	if err := options.fill(c, &wanted); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return stopped(ctx)
	}
	lock, err := options.claim()
	if err != nil {
		return err
	}
	defer lock.Close()
	program, err := os.Executable()
	if err != nil {
		return err
	}
	wanted.Dir, wanted.Ports, wanted.Program = options.dir, filepath.Join(base(), "ports"), program
	wanted.Kwok, wanted.Evidence = options.kwok && !options.realNode, options.evidence
	if options.attach.Kubeconfig != "" {
		wanted.Attach, wanted.Kwok = &options.attach, false
	}
	running, err := instance.Start(ctx, wanted, tools, log)
	if err != nil {
		if ctx.Err() != nil {
			err = stopped(ctx)
		}
		return errors.Join(err, finish(options, running))
	}
	log.Summary("ready")
	if err := announce(running.Info()); err != nil {
		log.Say("%v", err)
	}
	select {
	case <-ctx.Done():
		err = stopped(ctx)
	case <-running.Done():
		err = running.Cause()
		if ctx.Err() != nil {
			err = stopped(ctx)
		}
	}
	log.Say("stopping")
	if options.evidence {
		err = errors.Join(err, running.KeepObjects())
	}
	running.Stop()
	if options.evidence {
		err = errors.Join(err, running.Complete())
	}
	return errors.Join(err, finish(options, running))
}

// fill is that of a node, which a cluster that is served has already.
func (o *runOptions) fill(c *cache.Cache, wanted *instance.Options) error {
	if o.realNode && o.attach.Kubeconfig != "" {
		return errors.New("--attach serves a cluster that has nodes; --real-node starts one")
	}
	return o.nodeOptions.fill(c, wanted)
}

// fill builds what a real node needs, and adds it to what is wanted; nothing where none is asked for.
func (o *nodeOptions) fill(c *cache.Cache, wanted *instance.Options) error {
	if !o.realNode {
		if o.openclaw != "" {
			return errors.New("--openclaw is for containers, which only --real-node runs")
		}
		return nil
	}
	if err := node.Check(); err != nil {
		return err
	}
	built, err := c.Node()
	if err != nil {
		return err
	}
	gateway, err := c.Gateway()
	if err != nil {
		return err
	}
	built.Images = append(built.Images, gateway.Image)
	if o.openclaw != "" {
		workspace, err := c.Workspace(o.openclaw, o.image)
		if err != nil {
			return err
		}
		built.Images = append(built.Images, workspace)
	}
	wanted.Node, wanted.Gateway = &built, &gateway
	wanted.Judge, err = c.Judge()
	return err
}

// finish removes the directory and sends the janitor home.
func finish(options runOptions, running *instance.Instance) error {
	var err error
	if !options.keep {
		err = instance.Clean(options.dir)
	}
	if running != nil {
		running.Farewell()
	}
	return err
}

// stopped: an end that was asked for is no error.
func stopped(ctx context.Context) error {
	fmt.Fprintf(os.Stderr, "%v\n", context.Cause(ctx))
	return nil
}

func announce(info instance.Info) error {
	return json.NewEncoder(os.Stdout).Encode(struct {
		Event    string `json:"event"`
		Dir      string `json:"dir"`
		Platform string `json:"platform"`
	}{"ready", info.Dir, filepath.Join(info.Dir, instance.InfoFile)})
}
