package main

import (
	"fmt"
	"net/netip"
	"os"
	"slices"

	"sigs.k8s.io/yaml"
)

// A peer stands at one end of a connection: a pod, or an address. Addresses: IPv4, IPv6; invalid: has none.
type peer struct {
	tenant   string
	pod      pod
	address  [2]netip.Addr
	reserved []string // what Cilium knows it by beside its address, as labels
}

func (p peer) isPod() bool { return p.tenant != "" || p.pod.namespace != "" }

// isCluster: such a peer is known by nothing but what Cilium itself calls it, its addresses and names count for nothing
// (resolveLabels in pkg/ipcache).
func (p peer) isCluster() bool {
	return slices.Contains(p.reserved, "reserved:host") || slices.Contains(p.reserved, "reserved:remote-node")
}

// A world is who stands around the tenants.
type world struct {
	peers map[string]peer
}

type written struct {
	Pods map[string]struct {
		Tenant          string            `json:"tenant"`
		Namespace       string            `json:"namespace"`
		NamespaceLabels map[string]string `json:"namespaceLabels"`
		Labels          map[string]string `json:"labels"`
		Addresses       []*string         `json:"addresses"`
	} `json:"pods"`
	Addresses map[string][]*string `json:"addresses"`
	Reserved  map[string][]string  `json:"reserved"`
}

// readWorld reads who stands around both simulators' tenants, and then what Cilium knows more of.
func readWorld(path string, more []byte) (*world, error) {
	shared, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	w := &world{map[string]peer{}}
	for _, content := range [][]byte{shared, more} {
		if err := w.read(content); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *world) read(content []byte) error {
	var written written
	if err := yaml.UnmarshalStrict(content, &written); err != nil {
		return err
	}
	add := func(name string, list []*string, one peer) (err error) {
		if _, stands := w.peers[name]; stands {
			return fmt.Errorf("%s stands there twice", name)
		}
		one.address, err = addresses(list)
		w.peers[name] = one
		return err
	}
	for name, one := range written.Pods {
		own := pod{one.Namespace, named(one.Namespace, one.NamespaceLabels), one.Labels, "default"}
		if err := add(name, one.Addresses, peer{tenant: one.Tenant, pod: own}); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for name, list := range written.Addresses {
		if err := add(name, list, peer{}); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for name, labels := range written.Reserved {
		one, stands := w.peers[name]
		if !stands || one.isPod() {
			return fmt.Errorf("%s is no address", name)
		}
		one.reserved = labels
		w.peers[name] = one
	}
	return nil
}

func addresses(list []*string) ([2]netip.Addr, error) {
	var all [2]netip.Addr
	for family, text := range list {
		if text == nil {
			continue
		}
		address, err := netip.ParseAddr(*text)
		if err != nil || family > 1 || address.Is6() != (family == 1) {
			return all, fmt.Errorf("%q: write IPv4 first, IPv6 second", *text)
		}
		all[family] = address
	}
	return all, nil
}
