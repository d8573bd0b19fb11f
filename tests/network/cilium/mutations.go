package main

import (
	"fmt"
	"net/netip"
	"slices"

	v2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	meta "github.com/cilium/cilium/pkg/k8s/slim/k8s/apis/meta/v1"
	"github.com/cilium/cilium/pkg/policy/api"
)

// A mutation is one change of a policy that somebody might make by mistake: a part less, or a part more.
type mutation struct {
	what   string
	change func(*api.Rule)
}

// Without a namespace a selector is of the policy's own.
var anywhere = api.NewESFromMatchRequirements(nil, []meta.LabelSelectorRequirement{
	{Key: "k8s:io.kubernetes.pod.namespace", Operator: meta.LabelSelectorOpExists},
})

type adder func(change func(*api.Rule), format string, arguments ...any)

// mutations of a policy: each part of it left out, and each rule opened further.
func mutations(policy *v2.CiliumNetworkPolicy) []mutation {
	var all []mutation
	add := func(change func(*api.Rule), format string, arguments ...any) {
		all = append(all, mutation{fmt.Sprintf(format, arguments...), change})
	}
	nobody := api.NewESFromMatchRequirements(map[string]string{"k8s:app": "nobody"}, nil)
	add(func(s *api.Rule) { s.EndpointSelector = nobody }, "for pods that nobody has")
	more := []api.EgressRule{
		{EgressCommonRule: api.EgressCommonRule{ToEntities: api.EntitySlice{api.EntityWorld}}},
		{EgressCommonRule: api.EgressCommonRule{ToEntities: api.EntitySlice{api.EntityHost}}},
		{EgressCommonRule: api.EgressCommonRule{ToEntities: api.EntitySlice{api.EntityKubeAPIServer}}},
		{EgressCommonRule: api.EgressCommonRule{ToEntities: api.EntitySlice{api.EntityRemoteNode}}},
		{EgressCommonRule: api.EgressCommonRule{ToEndpoints: []api.EndpointSelector{anywhere}}},
		{ToFQDNs: api.FQDNSelectorSlice{{MatchPattern: "*"}}},
	}
	for _, rule := range more {
		add(func(s *api.Rule) { s.Egress = append(s.Egress, rule) }, "egress: more, to %s", inWords(rule))
	}
	for at := range policy.Spec.Egress {
		egressMutations(add, policy.Spec.Egress, at)
	}
	for at, rule := range policy.Spec.EgressDeny {
		add(func(s *api.Rule) { s.EgressDeny = slices.Delete(s.EgressDeny, at, at+1) }, "egressDeny rule %d left out", at)
		denialMutations(add, rule, at)
	}
	return all
}

func egressMutations(add adder, rules []api.EgressRule, at int) {
	where := fmt.Sprintf("egress rule %d", at)
	rule := rules[at]
	of := func(s *api.Rule) *api.EgressRule { return &s.Egress[at] }
	if len(rules) > 1 {
		add(func(s *api.Rule) { s.Egress = slices.Delete(s.Egress, at, at+1) }, "%s left out", where)
	}
	for index, name := range rule.ToFQDNs {
		drop := func(s *api.Rule) { of(s).ToFQDNs = slices.Delete(of(s).ToFQDNs, index, index+1) }
		if len(rule.ToFQDNs) > 1 {
			add(drop, "%s: without %s%s", where, name.MatchName, name.MatchPattern)
		}
	}
	if len(rule.ToEndpoints) > 0 {
		add(func(s *api.Rule) { of(s).ToEndpoints = append(of(s).ToEndpoints, anywhere) }, "%s: and to every pod", where)
	}
	for index, selector := range rule.ToEndpoints {
		for key := range selector.MatchLabels {
			drop := func(s *api.Rule) { delete(of(s).ToEndpoints[index].MatchLabels, key) }
			add(drop, "%s: without label %s", where, key)
		}
		for one, expression := range selector.MatchExpressions {
			expressions := func(s *api.Rule) *[]meta.LabelSelectorRequirement { return &of(s).ToEndpoints[index].MatchExpressions }
			add(func(s *api.Rule) { *expressions(s) = slices.Delete(*expressions(s), one, one+1) }, "%s: without %s", where, expression.Key)
			for value := range expression.Values {
				drop := func(s *api.Rule) {
					(*expressions(s))[one].Values = slices.Delete((*expressions(s))[one].Values, value, value+1)
				}
				add(drop, "%s: without %s %s", where, expression.Key, expression.Values[value])
			}
		}
	}
	portMutations(add, where, rule.ToPorts, func(s *api.Rule) *api.PortRules { return &of(s).ToPorts })
}

func portMutations(add adder, where string, rules api.PortRules, of func(*api.Rule) *api.PortRules) {
	add(func(s *api.Rule) { *of(s) = nil }, "%s: for every port", where)
	for at, rule := range rules {
		for index, port := range rule.Ports {
			one := func(s *api.Rule) *api.PortProtocol { return &(*of(s))[at].Ports[index] }
			if len(rule.Ports) > 1 {
				drop := func(s *api.Rule) { (*of(s))[at].Ports = slices.Delete((*of(s))[at].Ports, index, index+1) }
				add(drop, "%s: without %s/%s", where, port.Port, port.Protocol)
			} else {
				add(func(s *api.Rule) { one(s).Protocol = api.ProtoAny }, "%s: %s of every protocol", where, port.Port)
			}
			add(func(s *api.Rule) { one(s).Port = "22" }, "%s: 22 for %s/%s", where, port.Port, port.Protocol)
		}
		if rule.Rules != nil {
			add(func(s *api.Rule) { (*of(s))[at].Rules = nil }, "%s: past the proxy", where)
			some := []api.PortRuleDNS{{MatchPattern: "*.example.com"}}
			add(func(s *api.Rule) { (*of(s))[at].Rules.DNS = some }, "%s: for some names only", where)
		}
	}
}

// denialMutations: a range that lies within another changes nothing as long as that stands.
func denialMutations(add adder, rule api.EgressDenyRule, at int) {
	of := func(s *api.Rule) *api.EgressDenyRule { return &s.EgressDeny[at] }
	for index, one := range rule.ToCIDRSet {
		for exception, except := range one.ExceptCIDRs {
			drop := func(s *api.Rule) {
				all := &of(s).ToCIDRSet[index].ExceptCIDRs
				*all = slices.Delete(*all, exception, exception+1)
			}
			add(drop, "egressDeny: %s with %s", one.Cidr, except)
		}
		whole := netip.MustParsePrefix(string(one.Cidr))
		if isWithinAnother(whole, index, rule.ToCIDRSet) {
			continue
		}
		drop := func(s *api.Rule) { of(s).ToCIDRSet = slices.Delete(of(s).ToCIDRSet, index, index+1) }
		add(drop, "egressDeny: without %s", one.Cidr)
		for _, bits := range []int{whole.Bits() - 1, whole.Bits() + 1} {
			other := netip.PrefixFrom(whole.Addr(), bits).Masked()
			if bits < whole.Bits() && isWithinAnother(beside(whole), index, rule.ToCIDRSet) {
				continue
			}
			change := func(s *api.Rule) { of(s).ToCIDRSet[index] = within(other, one.ExceptCIDRs) }
			add(change, "egressDeny: %s for %s", other, one.Cidr)
		}
	}
	add(func(s *api.Rule) { of(s).ToPorts = nil }, "egressDeny: for every port")
	ports := api.PortDenyRules{{Ports: []api.PortProtocol{{Port: "80", Protocol: api.ProtoTCP}}}}
	add(func(s *api.Rule) { of(s).ToPorts = ports }, "egressDeny: for another port")
}

// beside is the range that makes one of twice the size together with this.
func beside(half netip.Prefix) netip.Prefix {
	bytes := half.Masked().Addr().AsSlice()
	last := half.Bits() - 1
	bytes[last/8] ^= 0x80 >> (last % 8)
	address, _ := netip.AddrFromSlice(bytes)
	return netip.PrefixFrom(address, half.Bits())
}

// within is the range with those exceptions that lie in it: others are refused.
func within(whole netip.Prefix, exceptions []api.CIDR) api.CIDRRule {
	rule := api.CIDRRule{Cidr: api.CIDR(whole.String())}
	for _, except := range exceptions {
		if whole.Contains(netip.MustParsePrefix(string(except)).Addr()) {
			rule.ExceptCIDRs = append(rule.ExceptCIDRs, except)
		}
	}
	return rule
}

// isWithinAnother asks of a range whether it lies within one of these other than the one at this place.
func isWithinAnother(inner netip.Prefix, at int, all api.CIDRRuleSlice) bool {
	for index, one := range all {
		outer := netip.MustParsePrefix(string(one.Cidr))
		if index != at && outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr()) {
			return true
		}
	}
	return false
}

func inWords(rule api.EgressRule) string {
	switch {
	case len(rule.ToEntities) > 0:
		return string(rule.ToEntities[0])
	case len(rule.ToFQDNs) > 0:
		return "every name"
	default:
		return "every pod"
	}
}
