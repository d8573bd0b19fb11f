package main

import (
	"context"
	"errors"
	"flag"
	"net"

	"openclaw.io/local/platform/internal/netpol"
	"openclaw.io/local/platform/internal/node"
	"openclaw.io/local/platform/internal/outside"
	"openclaw.io/local/platform/internal/relay"
)

// first is the first process of a real node: an instance starts it in namespaces of its own.
func first(args []string) error {
	flags := flag.NewFlagSet("node", flag.ContinueOnError)
	dir := flags.String("dir", "", "directory of the node")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *dir == "" {
		return errors.New("this is a node's own first process; platform.sh up --real-node starts one")
	}
	return node.Init(*dir)
}

// forward hands connections on: a node's own address of the agent leads to where the agent is.
func forward(args []string) error {
	flags := flag.NewFlagSet("forward", flag.ContinueOnError)
	listen := flags.String("listen", "", "address and port to listen on")
	to := flags.String("to", "", "address and port to hand on to")
	if err := parse(flags, args); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	return relay.Serve(listener, *to)
}

// playOutside is the world beyond a node: its first process starts it in a network namespace of its own.
func playOutside(args []string) error {
	if err := parse(flag.NewFlagSet("outside", flag.ContinueOnError), args); err != nil {
		return err
	}
	if err := node.Outside(); err != nil {
		return err
	}
	return outside.Serve(context.Background())
}

// policies enforces network policies in the network namespace that it runs in, which is a node's.
func policies(args []string) error {
	flags := flag.NewFlagSet("policies", flag.ContinueOnError)
	path := flags.String("kubeconfig", "", "the cluster whose policies are enforced")
	if err := parse(flags, args); err != nil {
		return err
	}
	client, err := clientOf(*path)
	if err != nil {
		return err
	}
	return netpol.New(client, node.PodRange).Run(context.Background(), node.Bridge)
}
