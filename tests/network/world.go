package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// A class is what the operator renders for the tenants of one class.
type class struct {
	Name    string                       `json:"name"`
	Tenants map[string][]json.RawMessage `json:"tenants"`

	policies []*networking.NetworkPolicy
	pods     map[string]matcher.InternalPeer // of tenants, by tenant
}

// A peer stands at one end of a connection: a pod, or nothing but addresses. Addresses: IPv4, IPv6; nil: has none.
type peer struct {
	tenant     string
	namespace  string
	nsLabels   map[string]string
	podLabels  map[string]string
	address    [2]string
	isInternal bool
}

// readClasses reads what was rendered, in the order of these names: neither more nor less.
func readClasses(path string, names []string) ([]*class, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var classes []*class
	if err := json.Unmarshal(content, &classes); err != nil {
		return nil, err
	}
	var rendered []string
	for _, class := range classes {
		rendered = append(rendered, class.Name)
		class.pods = map[string]matcher.InternalPeer{}
		for tenant, objects := range class.Tenants {
			if err := class.take(tenant, objects); err != nil {
				return nil, fmt.Errorf("class %s, tenant %s: %w", class.Name, tenant, err)
			}
		}
	}
	if !slices.Equal(rendered, names) {
		return nil, fmt.Errorf("the classes are %v, not %v", rendered, names)
	}
	return classes, nil
}

// take reads a tenant's objects: its policies, and the labels that its namespace and its pod have.
func (c *class) take(tenant string, objects []json.RawMessage) error {
	var pod matcher.InternalPeer
	for _, raw := range objects {
		var head struct {
			meta.TypeMeta   `json:",inline"`
			meta.ObjectMeta `json:"metadata"`
			Spec            struct {
				Template struct {
					meta.ObjectMeta `json:"metadata"`
				} `json:"template"`
			} `json:"spec"`
		}
		if err := json.Unmarshal(raw, &head); err != nil {
			return err
		}
		switch head.Kind {
		case "Namespace":
			pod.Namespace, pod.NamespaceLabels = head.Name, named(head.Name, head.Labels)
		case "StatefulSet":
			pod.PodLabels = head.Spec.Template.Labels
		case "NetworkPolicy":
			policy := &networking.NetworkPolicy{}
			if err := yaml.UnmarshalStrict(raw, policy); err != nil {
				return fmt.Errorf("NetworkPolicy %s: %w", head.Name, err)
			}
			c.policies = append(c.policies, policy)
		}
	}
	if pod.Namespace == "" || len(pod.PodLabels) == 0 {
		return fmt.Errorf("no Namespace or no StatefulSet among %d objects", len(objects))
	}
	c.pods[tenant] = pod
	return nil
}

// named adds the label that the API server gives to every namespace.
func named(namespace string, labels map[string]string) map[string]string {
	all := map[string]string{"kubernetes.io/metadata.name": namespace}
	maps.Copy(all, labels)
	return all
}

func readPeers(content []byte) (map[string]peer, error) {
	var written struct {
		Pods map[string]struct {
			Tenant          string            `json:"tenant"`
			Namespace       string            `json:"namespace"`
			NamespaceLabels map[string]string `json:"namespaceLabels"`
			Labels          map[string]string `json:"labels"`
			Addresses       []*string         `json:"addresses"`
		} `json:"pods"`
		Addresses map[string][]*string `json:"addresses"`
	}
	if err := yaml.UnmarshalStrict(content, &written); err != nil {
		return nil, err
	}
	peers := map[string]peer{}
	for name, pod := range written.Pods {
		address, err := addresses(pod.Addresses)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		peers[name] = peer{pod.Tenant, pod.Namespace, named(pod.Namespace, pod.NamespaceLabels), pod.Labels, address, true}
	}
	for name, list := range written.Addresses {
		address, err := addresses(list)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		peers[name] = peer{address: address}
	}
	return peers, nil
}

func addresses(list []*string) ([2]string, error) {
	var all [2]string
	for family, text := range list {
		if text == nil {
			continue
		}
		address, err := netip.ParseAddr(*text)
		if err != nil || family > 1 || address.Is6() != (family == 1) {
			return all, fmt.Errorf("%q: write IPv4 first, IPv6 second", *text)
		}
		all[family] = *text
	}
	return all, nil
}

// seen is the peer as the simulator wants it; nil where it has no address of the family.
func (p peer) seen(c *class, family int) *matcher.TrafficPeer {
	if p.address[family] == "" {
		return nil
	}
	seen := &matcher.TrafficPeer{IP: p.address[family]}
	if p.isInternal {
		internal := matcher.InternalPeer{Namespace: p.namespace, NamespaceLabels: p.nsLabels, PodLabels: p.podLabels}
		if p.tenant != "" {
			internal = c.pods[p.tenant]
			if p.podLabels != nil {
				internal.PodLabels = p.podLabels
			}
		}
		seen.Internal = &internal
	}
	return seen
}
