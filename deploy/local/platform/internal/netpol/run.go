package netpol

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"openclaw.io/local/platform/internal/kube"
)

// pause lets what changes together be handed over together.
const pause = 20 * time.Millisecond

// Enforcer keeps the kernel's rules as the cluster's policies ask for.
type Enforcer struct {
	pods, namespaces, policies cache.SharedIndexInformer

	cidr    netip.Prefix
	changed chan struct{}
	known   []string // chains that are there
	last    string
}

// New makes an Enforcer for the pods of one range, all of which are on this node.
func New(client *kube.Client, cidr netip.Prefix) *Enforcer {
	return &Enforcer{
		pods: client.Informer(kube.Pods), namespaces: client.Informer(kube.Namespaces), policies: client.Informer(kube.NetworkPolicies),
		cidr: cidr, changed: make(chan struct{}, 1),
	}
}

// Run enforces until ctx ends. It changes the network namespace that it runs in. Before it knows the cluster no pod speaks.
func (e *Enforcer) Run(ctx context.Context, bridge string) error {
	if err := e.hook(ctx, bridge); err != nil {
		return err
	}
	var synced []cache.InformerSynced
	for _, informer := range []cache.SharedIndexInformer{e.pods, e.namespaces, e.policies} {
		notify := func(any) {
			select {
			case e.changed <- struct{}{}:
			default: // it is noted already
			}
		}
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: notify, UpdateFunc: func(_, now any) { notify(now) }, DeleteFunc: notify,
		})
		if err != nil {
			return err
		}
		go informer.RunWithContext(ctx)
		synced = append(synced, informer.HasSynced)
	}
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return errors.New("stopped before the cluster was known")
	}
	for {
		if err := e.enforce(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-e.changed:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// hook sends through the gate what pods exchange with others, and with the node itself.
func (e *Enforcer) hook(ctx context.Context, bridge string) error {
	empty, err := Table(World{}, e.cidr)
	if err != nil {
		return err
	}
	if err := e.restore(ctx, empty); err != nil {
		return err
	}
	for _, where := range [][]string{{"FORWARD"}, {"INPUT", "-i", bridge}} {
		rule := append(slices.Clone(where[1:]), "-j", gate)
		if iptables(ctx, append([]string{"-C", where[0]}, rule...)...) == nil {
			continue
		}
		if err := iptables(ctx, append([]string{"-I", where[0], "1"}, rule...)...); err != nil {
			return err
		}
	}
	return nil
}

func (e *Enforcer) enforce(ctx context.Context) error {
	var world World
	err := errors.Join(read(e.pods, &world.Pods), read(e.namespaces, &world.Namespaces), read(e.policies, &world.Policies))
	if err != nil {
		return err
	}
	table, err := Table(world, e.cidr)
	if err != nil {
		return err
	}
	return e.restore(ctx, table)
}

func read[T any](informer cache.SharedIndexInformer, into *[]T) error {
	for _, object := range informer.GetStore().List() {
		untyped, is := object.(*unstructured.Unstructured)
		if !is {
			return fmt.Errorf("a watch told of %T", object)
		}
		var one T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(untyped.Object, &one); err != nil {
			return fmt.Errorf("%s %s/%s: %w", untyped.GetKind(), untyped.GetNamespace(), untyped.GetName(), err)
		}
		*into = append(*into, one)
	}
	return nil
}

var chainLine = regexp.MustCompile(`(?m)^:(\S+) `)

// restore hands a table over in one step, and takes away the chains that it does not have any more.
func (e *Enforcer) restore(ctx context.Context, table string) error {
	if table == e.last {
		return nil
	}
	var chains, gone []string
	for _, found := range chainLine.FindAllStringSubmatch(table, -1) {
		chains = append(chains, found[1])
	}
	head, tail := "", ""
	for _, chain := range e.known {
		if !slices.Contains(chains, chain) {
			gone = append(gone, chain)
			head += ":" + chain + " - [0:0]\n"
			tail += "-X " + chain + "\n"
		}
	}
	body := strings.TrimSuffix(strings.TrimPrefix(table, "*filter\n"), "COMMIT\n")
	text := "*filter\n" + head + body + tail + "COMMIT\n"
	cmd := exec.CommandContext(ctx, "iptables-restore", "--wait", "--noflush")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("iptables-restore: %w: %s\n%s", err, bytes.TrimSpace(out), text)
	}
	fmt.Printf("%s %d chains stand, %d have gone\n", time.Now().Format(time.StampMilli), len(chains), len(gone))
	e.known, e.last = chains, table
	return nil
}

func iptables(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "iptables", append([]string{"--wait"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("iptables %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
