// Package instance is one running local platform: a control plane, nodes, an AWS account, and the stand-ins between them.
package instance

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"

	"openclaw.io/local/platform/internal/awsproxy"
	toolcache "openclaw.io/local/platform/internal/cache"
	"openclaw.io/local/platform/internal/kube"
	"openclaw.io/local/platform/internal/node"
	"openclaw.io/local/platform/internal/proc"
	"openclaw.io/local/platform/internal/progress"
	"openclaw.io/local/platform/internal/provisioner"
)

// Options say what kind of instance.
type Options struct {
	Dir      string // absolute, empty
	Ports    string // directory of port locks, shared by all instances
	Program  string // this program, for the janitor
	Kwok     bool
	Node     *toolcache.NodeTools // what a real node runs, where there is to be one
	Judge    toolcache.Judge      // what judges the credentials of its pods
	Gateway  *toolcache.Gateway   // what leads to its pods; without it the Gateway is played
	Attach   *Attach              // serve a cluster that exists, instead of starting one
	Evidence bool                 // record what a test run is examined by
}

// Instance is a starting or running platform.
type Instance struct {
	options Options
	tools   toolcache.Tools
	log     *progress.Log
	ctx     context.Context // ends with the instance
	end     context.CancelCauseFunc

	info              Info
	janitor           *proc.Janitor
	group             *proc.Group
	ports             *proc.Ports
	listeners         []net.Listener
	ca                *authority
	tokens            map[string]string
	apiPort           int
	agentPort         int        // where pods' credentials come from
	host, nodeAddress netip.Addr // both ends of a real node's cable
	kube              *kube.Client
	aws               *awsproxy.Proxy
	volumes           volumeDirs

	etcdURL, etcdPeerURL string
	standIn              context.CancelFunc // ends the gateway stand-in
}

// Start brings an instance up. On an error nothing is left of it but its directory, which holds the logs.
func Start(ctx context.Context, options Options, tools toolcache.Tools, log *progress.Log) (*Instance, error) {
	i := &Instance{options: options, tools: tools, log: log, tokens: map[string]string{}}
	i.ctx, i.end = context.WithCancelCause(ctx)
	if err := i.prepare(); err != nil {
		i.Stop()
		return nil, err
	}
	go i.watchChildren()
	if err := i.bringUp(); err != nil {
		if cause := context.Cause(i.ctx); cause != nil {
			err = cause // a child that died explains more than the wait that it ended
		}
		i.Stop()
		return nil, err
	}
	return i, nil
}

func (i *Instance) prepare() (err error) {
	if i.janitor, err = proc.StartJanitor(i.options.Program); err != nil {
		return err
	}
	i.janitor.OwnPath(i.options.Dir)
	for _, dir := range []string{"pki", "logs", "etcd"} {
		if err := os.MkdirAll(i.path(dir), 0o700); err != nil {
			return err
		}
	}
	i.group = proc.NewGroup(i.janitor, i.path("logs"))
	if i.ports, err = proc.NewPorts(i.options.Ports, i.janitor); err != nil {
		return err
	}
	if i.apiPort, err = i.ports.Take(); err != nil {
		return err
	}
	i.host = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if i.options.Node != nil {
		if i.host, i.nodeAddress, err = node.Addresses(i.apiPort); err != nil {
			return err
		}
		if i.agentPort, err = i.ports.Take(); err != nil {
			return err
		}
	}
	if i.ca, err = newAuthority(); err != nil {
		return err
	}
	i.info = Info{
		Dir: i.options.Dir, Pid: os.Getpid(), Program: i.options.Program, Kubeconfig: i.path("kubeconfig"), Server: i.serverURL(),
		CA: string(i.ca.pem), Kubectl: i.tools.Kubectl, AuditLog: i.path("audit.log"), StorageClass: storageClass,
		Gateway: Gateway{Namespace: gatewayNamespace, Name: gatewayName}, Python: i.tools.Python, GatewayAPI: i.tools.GatewayAPI, Optional: i.tools.Optional,
	}
	if err := errors.Join(writePKI(i.ca, i.path("pki"), i.host), i.writeUsers()); err != nil {
		return err
	}
	if i.options.Attach != nil {
		return i.attach()
	}
	if i.options.Node != nil {
		if err := writeNodePKI(i.ca, i.path("pki"), i.nodeAddress); err != nil {
			return err
		}
	}
	i.kube, err = kube.New(&rest.Config{
		Host: i.serverURL(), BearerToken: i.tokens["platform"], TLSClientConfig: rest.TLSClientConfig{CAData: i.ca.pem},
	})
	return err
}

type step struct {
	name string
	work func() error
}

// bringUp does side by side what does not wait for each other: most of a start is waiting.
func (i *Instance) bringUp() error {
	if i.options.Attach != nil {
		return i.inTurn(
			step{"Gateway API and Gateway", i.installGateway}, step{"AWS emulators", i.startEmulators},
			step{"AWS account and stand-ins", i.connect}, step{"provisioner", i.startProvisioner}, step{"Gateway is ready", i.describe},
		)
	}
	if err := i.inTurn(step{"cable to the node", i.layCable}, step{"etcd", i.startEtcd}, step{"API server starts", i.startAPIServer}); err != nil {
		return err
	}
	err := i.sideBySide(
		// The API server makes the first object of a new kind wait for two seconds; the sooner it knows the kinds the better.
		step{"Gateway API and Gateway", i.installGateway},
		step{"everything else", func() error {
			err := i.sideBySide(step{"AWS emulators", i.startEmulators}, step{"API server, controllers, nodes", i.bringUpCluster})
			if err != nil {
				return err
			}
			return i.inTurn(step{"AWS account and stand-ins", i.connect})
		}},
	)
	if err != nil {
		return err
	}
	return i.inTurn(step{"nodes, controllers and Gateway are ready", i.describe})
}

func (i *Instance) inTurn(steps ...step) error {
	for _, s := range steps {
		if err := i.log.Stage(s.name, s.work); err != nil {
			return err
		}
	}
	return nil
}

func (i *Instance) sideBySide(steps ...step) error {
	errs := make(chan error, len(steps))
	for _, s := range steps {
		go func() { errs <- i.log.Stage(s.name, s.work) }()
	}
	var first error
	for range steps {
		if err := <-errs; err != nil && first == nil {
			first = err
			i.fail(err) // the others need not wait any longer
		}
	}
	return first
}

func (i *Instance) installGateway() error {
	if err := i.installGatewayAPI(i.ctx); err != nil {
		return err
	}
	objects := mustObject("cluster.yaml")
	if i.provisions() {
		objects = bytes.ReplaceAll(objects, []byte("kubernetes.io/host-path"), []byte(provisioner.Name))
	}
	if i.playsGateway() {
		return i.createAll(i.ctx, objects)
	}
	objects = bytes.ReplaceAll(objects, []byte("openclaw.io/local-gateway"), []byte(contourController))
	parsed, err := kube.Parse(objects)
	if err != nil {
		return err
	}
	certificate, err := i.gatewayCertificate()
	if err != nil {
		return err
	}
	for _, object := range parsed {
		if object.GetKind() != "Gateway" {
			continue
		}
		if err := secured(object); err != nil {
			return err
		}
	}
	return i.create(i.ctx, append(parsed, certificate))
}

func (i *Instance) bringUpCluster() error {
	if err := i.awaitAPIServer(); err != nil {
		return err
	}
	if err := i.startControllers(); err != nil {
		return err
	}
	if err := errors.Join(i.startNodes(), i.startNames()); err != nil {
		return err
	}
	if i.provisions() {
		return i.startProvisioner()
	}
	if !i.options.Kwok {
		return nil
	}
	return i.createAll(i.ctx, mustObject("nodes.yaml"))
}

func (i *Instance) connect() error {
	if err := i.serveAWS(); err != nil {
		return err
	}
	if err := i.serveControl(); err != nil {
		return err
	}
	url, err := i.servePodIdentity()
	if err != nil {
		return err
	}
	if err := i.installWebhook(i.ctx, url); err != nil {
		return err
	}
	if err := i.serveCredentials(); err != nil {
		return err
	}
	i.startStandIn()
	if err := i.startGateway(); err != nil {
		return err
	}
	if err := i.volumes.watch(i.ctx, i.kube, i.janitor); err != nil {
		return err
	}
	return nil
}

// describe writes platform.json once the cluster shows that all of it works.
func (i *Instance) describe() error {
	if err := i.awaitCluster(i.ctx); err != nil {
		return err
	}
	i.info.Pids = i.group.Children()
	i.info.Logs = map[string]string{}
	for name := range i.info.Pids {
		i.info.Logs[name] = i.path("logs", name+".log")
	}
	return i.info.write()
}

// Info describes the running instance.
func (i *Instance) Info() Info { return i.info }

// Done is closed when the instance cannot go on; Cause says why.
func (i *Instance) Done() <-chan struct{} { return i.ctx.Done() }

// Cause is the reason for Done.
func (i *Instance) Cause() error { return context.Cause(i.ctx) }

func (i *Instance) fail(err error) { i.end(err) }

func (i *Instance) watchChildren() {
	select {
	case err := <-i.group.Failed():
		i.fail(err)
	case <-i.ctx.Done():
	}
}

// Stop ends everything that runs. The directory is the caller's to remove, before Farewell.
func (i *Instance) Stop() {
	i.end(context.Canceled)
	for _, listener := range i.listeners {
		listener.Close()
	}
	if i.group != nil {
		i.group.Stop()
	}
	if i.ports != nil {
		i.ports.Release()
	}
	i.volumes.remove()
	i.removeNode()
}

// Farewell sends the janitor home: all is clean.
func (i *Instance) Farewell() {
	if i.janitor != nil {
		i.janitor.Dismiss()
	}
}

func encode(content []byte) string { return base64.StdEncoding.EncodeToString(content) }

// Clean removes an instance's directory.
func Clean(dir string) error {
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("not removing %q: it is not an absolute path", dir)
	}
	return os.RemoveAll(dir)
}
