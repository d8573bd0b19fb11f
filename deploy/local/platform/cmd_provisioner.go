package main

import (
	"context"
	"errors"
	"flag"
	"os/signal"
	"path/filepath"
	"syscall"

	"k8s.io/client-go/tools/clientcmd"

	"openclaw.io/local/platform/internal/kube"
	"openclaw.io/local/platform/internal/provisioner"
)

func provision(args []string) error {
	flags := flag.NewFlagSet("provisioner", flag.ContinueOnError)
	config := flags.String("kubeconfig", "", "the cluster to serve (required)")
	dir := flags.String("dir", "", "directory in which volumes are made (required)")
	nodeDir := flags.String("node-dir", "", "where the nodes see that directory, if elsewhere")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *config == "" || *dir == "" {
		return errors.New("--kubeconfig and --dir are required")
	}
	here, err := filepath.Abs(*dir)
	if err != nil {
		return err
	}
	if *nodeDir == "" {
		*nodeDir = here
	}
	client, err := clientOf(*config)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return provisioner.New(client, provisioner.Options{Dir: here, NodeDir: *nodeDir}).Run(ctx)
}

// clientOf is a client of the cluster of a kubeconfig.
func clientOf(kubeconfig string) (*kube.Client, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	return kube.New(config)
}
