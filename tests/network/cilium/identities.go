package main

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/cilium/cilium/pkg/identity"
	meta "github.com/cilium/cilium/pkg/k8s/slim/k8s/apis/meta/v1"
	"github.com/cilium/cilium/pkg/k8s/utils"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/labelsfilter"
	"github.com/cilium/cilium/pkg/policy/types"
)

// An end is one end of a connection: a peer, or an address of a peer that DNS has named as the answer for a name.
type end struct {
	name, peer string
}

func (e end) String() string {
	if e.name == "" {
		return e.peer
	}
	return e.name + "@" + e.peer
}

// A labeller gives labels to whoever is no pod, as Cilium's agent does: an address has those of the selectors of names that
// match what DNS named it, and the longest range that any policy writes and it lies in (pkg/fqdn/namemanager, pkg/ipcache).
type labeller struct {
	names  map[labels.Label]*regexp.Regexp
	ranges []netip.Prefix // the longest first
	given  map[string]*identity.Identity
}

func newLabeller(entries types.PolicyEntries) (*labeller, error) {
	l := &labeller{names: map[labels.Label]*regexp.Regexp{}, given: map[string]*identity.Identity{}}
	for _, entry := range entries {
		for _, selector := range entry.L3 {
			l.ranges = append(l.ranges, selector.GetCIDRPrefixes()...)
			if name, ok := selector.GetFQDNSelector(); ok {
				pattern, err := name.ToRegex()
				if err != nil {
					return nil, err
				}
				l.names[name.IdentityLabel()] = pattern
			}
		}
	}
	slices.SortFunc(l.ranges, func(one, other netip.Prefix) int { return other.Bits() - one.Bits() })
	return l, nil
}

// identity of an end for a family; nil where it has no address of that. The same labels are the same identity.
func (l *labeller) identity(e end, family int, w *world, c *class) *identity.Identity {
	peer := w.peers[e.peer]
	address := peer.address[family]
	if !address.IsValid() {
		return nil
	}
	all := labels.Labels{}
	if peer.isPod() {
		all = peer.labels(c)
	} else {
		all.MergeLabels(labels.NewLabelsFromModel(peer.reserved))
		if !peer.isCluster() {
			l.addAddress(all, address, e.name)
		}
	}
	key := all.String()
	if l.given[key] == nil {
		l.given[key] = l.number(all)
	}
	return l.given[key]
}

// addAddress adds what an address is known by that is not of the cluster.
func (l *labeller) addAddress(all labels.Labels, address netip.Addr, name string) {
	for label, pattern := range l.names {
		if name != "" && pattern.MatchString(absolute(name)) {
			all[label.Key] = label
		}
	}
	holds := func(prefix netip.Prefix) bool { return prefix.Contains(address) }
	if at := slices.IndexFunc(l.ranges, holds); at >= 0 {
		maps.Copy(all, labels.GetCIDRLabels(l.ranges[at]))
	}
	all.AddWorldLabel(address)
}

func (l *labeller) number(all labels.Labels) *identity.Identity {
	if reserved := identity.LookupReservedIdentityByLabels(all); reserved != nil {
		return reserved
	}
	number := identity.NumericIdentity(1000 + len(l.given))
	return identity.NewIdentity(number|identity.ScopeForLabels(all), all)
}

// absolute is a name as DNS writes it.
func absolute(name string) string { return strings.ToLower(name) + "." }

// labels of a pod, as Cilium reads them from Kubernetes and as far as it takes them for identities.
func (p peer) labels(c *class) labels.Labels {
	own := p.pod
	if p.tenant != "" {
		own = c.pods[p.tenant]
		if p.pod.labels != nil {
			own.labels = p.pod.labels
		}
	}
	namespace := &meta.ObjectMeta{Name: own.namespace, Labels: own.namespaceLabels}
	all := utils.SanitizePodLabels(own.labels, namespace, own.account, clusterName)
	identifying, _ := labelsfilter.Filter(labels.Map2Labels(all, labels.LabelSourceK8s))
	return identifying
}

func init() {
	if err := labelsfilter.ParseLabelPrefixCfg(quiet, nil, nil, ""); err != nil {
		panic(fmt.Sprintf("Cilium's own list of labels: %v", err))
	}
}
