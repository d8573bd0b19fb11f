package instance

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"openclaw.io/local/platform/internal/awsproxy"
	"openclaw.io/local/platform/internal/credentials"
	"openclaw.io/local/platform/internal/proc"
)

func (i *Instance) agentAddress() string { return fmt.Sprintf("%s:%d", i.host, i.agentPort) }

// serveCredentials gives a real node's pods what the EKS Pod Identity agent gives them, and has judged whatever they do with it.
func (i *Instance) serveCredentials() error {
	if i.options.Node == nil {
		return nil
	}
	if err := i.startJudge(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", i.agentAddress())
	if err != nil {
		return err
	}
	i.listeners = append(i.listeners, listener)
	agent := &credentials.Agent{
		Cluster: credentials.Cluster{Name: i.info.AWS.ClusterName, ARN: i.info.AWS.ClusterARN},
		Review:  credentials.Reviewer(i.kube), Role: i.aws.AssociatedRole, Issue: i.aws.Issue,
	}
	server := &http.Server{Handler: agent, ReadHeaderTimeout: 10 * time.Second}
	go i.serving("the agent that gives credentials", func() error { return server.Serve(listener) })
	return nil
}

// startJudge starts what evaluates IAM policies. It ends when nobody can ask it any more.
func (i *Instance) startJudge() error {
	input, asks, first := os.Pipe()
	answers, output, second := os.Pipe()
	if err := errors.Join(first, second); err != nil {
		return err
	}
	judge := i.options.Judge
	_, err := i.group.Start(proc.Spec{Name: "judge", Path: judge.Node, Args: []string{judge.Script, judge.Packages}, Input: input, Output: output})
	// Its ends of the pipes are its own now.
	if err := errors.Join(err, input.Close(), output.Close()); err != nil {
		return err
	}
	i.aws.JudgeBy(awsproxy.NewBench(asks, answers).Judge, i.nodeAddress.String())
	return nil
}
