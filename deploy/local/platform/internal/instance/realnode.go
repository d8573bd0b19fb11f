package instance

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"openclaw.io/local/platform/internal/cgroup"
	"openclaw.io/local/platform/internal/kube"
	"openclaw.io/local/platform/internal/node"
	"openclaw.io/local/platform/internal/proc"
)

// layCable starts the node's first process and connects its network with this machine's: from then on the API server has an address
// that the node and its pods reach. The cable goes with the node.
func (i *Instance) layCable() error {
	if i.options.Node == nil {
		return nil
	}
	spec := &node.Spec{
		Dir: i.path("node"), Cgroup: i.cgroup(), Host: i.host, Node: i.nodeAddress,
		Kubelet: i.options.Node.Kubelet, Proxy: i.options.Node.Proxy, Program: i.options.Program, Images: i.options.Node.Images,
	}
	spec.Agent = i.agentAddress()
	spec.Kubeconfig.Kubelet, spec.Kubeconfig.Proxy = i.path("pki", "kubelet.kubeconfig"), i.path("pki", "proxy.kubeconfig")
	spec.Kubeconfig.Policies = i.path("pki", "platform.kubeconfig")
	spec.PKI.CA, spec.PKI.Cert, spec.PKI.Key = i.path("pki", "ca.crt"), i.path("pki", "kubelet.crt"), i.path("pki", "kubelet.key")
	if err := spec.Write(); err != nil {
		return err
	}
	i.janitor.OwnCgroup(spec.Cgroup)
	if err := cgroup.Make(spec.Cgroup); err != nil {
		return err
	}
	first, err := i.group.Start(proc.Spec{Name: "node", Path: i.options.Program, Args: []string{"node", "--dir", spec.Dir}, Apart: true})
	if err != nil {
		return err
	}
	here := fmt.Sprintf("openclaw%d", i.apiPort)
	for _, command := range []string{
		fmt.Sprintf("link add %s type veth peer name %s netns %d", here, node.Cable, first.Pid),
		fmt.Sprintf("addr add %s/30 dev %s", i.host, here),
		fmt.Sprintf("link set %s up", here),
	} {
		out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", command, err, bytes.TrimSpace(out))
		}
	}
	return nil
}

// cgroup is the name of the node's: no other instance has this port.
func (i *Instance) cgroup() string { return fmt.Sprintf("openclaw-platform-%d", i.apiPort) }

func (i *Instance) removeNode() {
	if i.options.Node != nil {
		if err := cgroup.Remove(i.cgroup()); err != nil {
			i.log.Say("the node's cgroup is left: %v", err)
		}
	}
}

// startNames waits for the node and for what answers its pods' questions.
func (i *Instance) startNames() error {
	if i.options.Node == nil {
		return nil
	}
	return i.createAll(i.ctx, mustObject("dns.yaml"))
}

// runs waits until the pods of what a real node has run.
func (i *Instance) runs(ctx context.Context, what, namespace, deployment string) error {
	return kube.Await(ctx, what, func(ctx context.Context) error {
		found, err := i.kube.Resource(kube.Deployments).Namespace(namespace).Get(ctx, deployment, metav1.GetOptions{})
		if err != nil {
			return err
		}
		ready, _, _ := unstructured.NestedInt64(found.Object, "status", "readyReplicas")
		if ready < 1 {
			return fmt.Errorf("no ready pod of %s; see %s", deployment, i.path("node", "logs"))
		}
		return nil
	})
}
