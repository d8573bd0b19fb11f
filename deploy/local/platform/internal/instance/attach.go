package instance

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/client-go/tools/clientcmd"

	"openclaw.io/local/platform/internal/kube"
	"openclaw.io/local/platform/internal/provisioner"
)

// Attach says which cluster is served, and how its API server and its nodes see this machine.
type Attach struct {
	Kubeconfig    string
	WebhookListen string // address to listen on
	WebhookHost   string // name or address by which the API server reaches it
	Volumes       string // directory of volumes here
	NodeVolumes   string // the same directory on the nodes
	AnyContext    bool   // not only clusters of kind
}

// attach replaces the control plane of an instance by an existing one.
func (i *Instance) attach() error {
	a := i.options.Attach
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: a.Kubeconfig}, &clientcmd.ConfigOverrides{})
	raw, err := loader.RawConfig()
	if err != nil {
		return err
	}
	if !a.AnyContext && !strings.HasPrefix(raw.CurrentContext, "kind-") {
		return fmt.Errorf("the current context of %s is %q, which is no cluster of kind; what this installs does not belong into any "+
			"other cluster (--attach-any if you are sure)", a.Kubeconfig, raw.CurrentContext)
	}
	config, err := loader.ClientConfig()
	if err != nil {
		return err
	}
	if a.Volumes == "" || a.NodeVolumes == "" {
		return errors.New("--volumes and --node-volumes are needed with --attach")
	}
	i.info.Kubeconfig, i.info.Server, i.info.CA = a.Kubeconfig, config.Host, string(config.CAData)
	i.info.AuditLog = ""
	i.kube, err = kube.New(config)
	return err
}

// provisions says whether volumes are made by this process: containers that run must be able to write into them.
func (i *Instance) provisions() bool { return i.options.Attach != nil || i.options.Node != nil }

func (i *Instance) startProvisioner() error {
	// A real node shares this machine's file systems.
	options := provisioner.Options{Dir: i.path("volumes"), NodeDir: i.path("volumes")}
	if a := i.options.Attach; a != nil {
		options = provisioner.Options{Dir: a.Volumes, NodeDir: a.NodeVolumes}
	}
	go i.serving("the provisioner", func() error { return provisioner.New(i.kube, options).Run(i.ctx) })
	return nil
}
