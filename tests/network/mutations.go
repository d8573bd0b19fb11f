package main

import (
	"fmt"
	"net/netip"
	"slices"

	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A mutation is one change of a policy that somebody might make by mistake: a part less, or a part more.
type mutation struct {
	what   string
	change func(*networking.NetworkPolicy)
}

// The parts that ingress and egress rules have alike.
type parts struct {
	direction string
	rules     func(*networking.NetworkPolicySpec) int
	drop      func(*networking.NetworkPolicySpec, int)
	open      func(*networking.NetworkPolicySpec)
	peers     func(*networking.NetworkPolicySpec, int) *[]networking.NetworkPolicyPeer
	ports     func(*networking.NetworkPolicySpec, int) *[]networking.NetworkPolicyPort
}

type (
	spec = networking.NetworkPolicySpec
	port = networking.NetworkPolicyPort
	end  = networking.NetworkPolicyPeer
)

var directions = []parts{{
	"ingress",
	func(s *spec) int { return len(s.Ingress) },
	func(s *spec, at int) { s.Ingress = slices.Delete(s.Ingress, at, at+1) },
	func(s *spec) { s.Ingress = append(s.Ingress, networking.NetworkPolicyIngressRule{}) },
	func(s *spec, at int) *[]end { return &s.Ingress[at].From },
	func(s *spec, at int) *[]port { return &s.Ingress[at].Ports },
}, {
	"egress",
	func(s *spec) int { return len(s.Egress) },
	func(s *spec, at int) { s.Egress = slices.Delete(s.Egress, at, at+1) },
	func(s *spec) { s.Egress = append(s.Egress, networking.NetworkPolicyEgressRule{}) },
	func(s *spec, at int) *[]end { return &s.Egress[at].To },
	func(s *spec, at int) *[]port { return &s.Egress[at].Ports },
}}

// mutations of a policy: each part of it left out, and each rule opened further.
func mutations(policy *networking.NetworkPolicy) []mutation {
	var all []mutation
	add := func(change func(*spec), format string, arguments ...any) {
		all = append(all, mutation{fmt.Sprintf(format, arguments...), func(p *networking.NetworkPolicy) { change(&p.Spec) }})
	}
	for _, one := range directions {
		add(one.open, "%s: a rule {} more", one.direction)
		for rule := range one.rules(&policy.Spec) {
			where := fmt.Sprintf("%s rule %d", one.direction, rule)
			add(func(s *spec) { one.drop(s, rule) }, "%s left out", where)
			portMutations(add, one, rule, where, *one.ports(&policy.Spec, rule))
			peerMutations(add, one, rule, where, *one.peers(&policy.Spec, rule))
		}
	}
	return all
}

type adder func(change func(*spec), format string, arguments ...any)

func portMutations(add adder, one parts, rule int, where string, ports []port) {
	if len(ports) > 0 {
		add(func(s *spec) { *one.ports(s, rule) = nil }, "%s: for every port", where)
	}
	for at, port := range ports {
		if len(ports) > 1 {
			drop := func(s *spec) { *one.ports(s, rule) = slices.Delete(*one.ports(s, rule), at, at+1) }
			add(drop, "%s: without port %s/%s", where, port.Port, *port.Protocol)
		}
	}
}

func peerMutations(add adder, one parts, rule int, where string, peers []end) {
	everybody := []end{
		{IPBlock: &networking.IPBlock{CIDR: "0.0.0.0/0"}},
		{IPBlock: &networking.IPBlock{CIDR: "::/0"}},
		{NamespaceSelector: &meta.LabelSelector{}},
	}
	for _, more := range everybody {
		add(func(s *spec) { *one.peers(s, rule) = append(*one.peers(s, rule), more) }, "%s: %s more", where, inWords(more))
	}
	for at, peer := range peers {
		what := where + ", " + inWords(peer)
		of := func(s *spec) *end { return &(*one.peers(s, rule))[at] }
		add(func(s *spec) { *one.peers(s, rule) = slices.Delete(*one.peers(s, rule), at, at+1) }, "%s left out", what)
		if peer.IPBlock != nil {
			for index, except := range peer.IPBlock.Except {
				if !isWithinAnother(except, peer.IPBlock.Except) {
					drop := func(s *spec) { of(s).IPBlock.Except = slices.Delete(of(s).IPBlock.Except, index, index+1) }
					add(drop, "%s: with %s", what, except)
				}
			}
		}
		if peer.NamespaceSelector != nil && peer.PodSelector != nil {
			add(func(s *spec) { of(s).NamespaceSelector = nil }, "%s: without the namespaces", what)
			add(func(s *spec) { of(s).PodSelector = nil }, "%s: without the pods", what)
		}
		if peer.NamespaceSelector != nil {
			for key := range peer.NamespaceSelector.MatchLabels {
				add(func(s *spec) { delete(of(s).NamespaceSelector.MatchLabels, key) }, "%s: without label %s", what, key)
			}
		}
	}
}

// isWithinAnother: such an exception changes nothing as long as the other stands.
func isWithinAnother(cidr string, all []string) bool {
	small := netip.MustParsePrefix(cidr)
	return slices.ContainsFunc(all, func(other string) bool {
		large := netip.MustParsePrefix(other)
		return other != cidr && large.Bits() <= small.Bits() && large.Contains(small.Addr())
	})
}

func inWords(peer end) string {
	switch {
	case peer.IPBlock != nil:
		return peer.IPBlock.CIDR
	case peer.NamespaceSelector == nil:
		return "pods " + meta.FormatLabelSelector(peer.PodSelector)
	case peer.PodSelector == nil:
		return "namespaces " + meta.FormatLabelSelector(peer.NamespaceSelector)
	default:
		return "pods " + meta.FormatLabelSelector(peer.PodSelector) + " in " + meta.FormatLabelSelector(peer.NamespaceSelector)
	}
}
