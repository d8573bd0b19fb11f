// Package netpol enforces NetworkPolicies on one node with iptables: IPv4, TCP, UDP and SCTP as the API has them.
//
// It is a stand-in for the agents that enforce policies on a real cluster, for packets that are real. What a policy means is
// decided here without touching anything; run.go watches the cluster and hands the outcome to the kernel.
package netpol

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// World is what policies are about.
type World struct {
	Pods       []corev1.Pod
	Namespaces []corev1.Namespace
	Policies   []networkingv1.NetworkPolicy
}

// gate is the chain that all traffic of pods passes.
const gate = "OPENCLAW-NETPOL"

// direction is one of the two sides from which a pod's traffic is judged.
type direction struct {
	prefix       string // of the chains
	own, peer    string // iptables' options for the judged pod's address and the other side's
	policyType   networkingv1.PolicyType
	namesItsPort bool // whether a named port is the judged pod's own
}

var (
	egress  = direction{"NP-E-", "-s", "-d", networkingv1.PolicyTypeEgress, false}
	ingress = direction{"NP-I-", "-d", "-s", networkingv1.PolicyTypeIngress, true}
)

// rule is one rule of a policy, whichever its direction.
type rule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

// peer is an address that a rule speaks of, and the pod that has it where one does.
type peer struct {
	prefix netip.Prefix
	pod    *corev1.Pod
}

var everywhere = netip.MustParsePrefix("0.0.0.0/0")

// Table renders everything as iptables-restore takes it, for `--noflush`: chains are replaced as a whole, in one step. Traffic within
// pods of the range that no pod is known to have is dropped: a pod speaks when it is known what it may say. Answers always pass.
func Table(world World, pods netip.Prefix) (string, error) {
	world.Pods = slices.DeleteFunc(slices.Clone(world.Pods), func(pod corev1.Pod) bool { return !hasAddress(&pod) })
	slices.SortFunc(world.Pods, func(a, b corev1.Pod) int { return strings.Compare(key(&a), key(&b)) })
	slices.SortFunc(world.Policies, func(a, b networkingv1.NetworkPolicy) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	var chains, jumps, bodies []string
	for _, way := range []direction{egress, ingress} {
		known := gateOf(way)
		chains = append(chains, ":"+known+" - [0:0]")
		jumps = append(jumps, fmt.Sprintf("-A %s %s %s -j %s", gate, way.own, pods, known))
		for n := range world.Pods {
			pod := &world.Pods[n]
			lines, judged, err := world.judge(way, pod)
			if err != nil {
				return "", err
			}
			target := "RETURN"
			if judged {
				target = chainOf(way, pod)
				chains = append(chains, ":"+target+" - [0:0]")
				bodies = append(bodies, lines...)
				bodies = append(bodies, fmt.Sprintf("-A %s -j DROP", target))
			}
			bodies = append(bodies, fmt.Sprintf("-A %s %s %s/32 -j %s", known, way.own, pod.Status.PodIP, target))
			if judged {
				// What its policies allow comes back here.
				bodies = append(bodies, fmt.Sprintf("-A %s %s %s/32 -j RETURN", known, way.own, pod.Status.PodIP))
			}
		}
		bodies = append(bodies, fmt.Sprintf("-A %s -j DROP", known))
	}
	lines := append([]string{"*filter", ":" + gate + " - [0:0]"}, chains...)
	lines = append(lines, fmt.Sprintf("-A %s -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN", gate))
	lines = append(lines, jumps...)
	lines = append(lines, bodies...)
	return strings.Join(append(lines, "COMMIT", ""), "\n"), nil
}

func key(pod *corev1.Pod) string { return pod.Namespace + "/" + pod.Name }

// hasAddress: a pod that has ended has given its address back, and one on the host's network has the node's.
func hasAddress(pod *corev1.Pod) bool {
	over := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	return pod.Status.PodIP != "" && !pod.Spec.HostNetwork && !over
}

func gateOf(way direction) string { return way.prefix + "PODS" }

// chainOf names a pod's chain: iptables allows 28 characters.
func chainOf(way direction, pod *corev1.Pod) string {
	sum := sha256.Sum256([]byte(key(pod)))
	return way.prefix + hex.EncodeToString(sum[:])[:20]
}

// judge says what a pod's policies allow in one direction; not judged is a pod that none selects.
func (w *World) judge(way direction, pod *corev1.Pod) (lines []string, judged bool, err error) {
	for n := range w.Policies {
		policy := &w.Policies[n]
		selected, err := selects(&policy.Spec.PodSelector, pod.Labels)
		if err != nil {
			return nil, false, fmt.Errorf("NetworkPolicy %s/%s: %w", policy.Namespace, policy.Name, err)
		}
		if policy.Namespace != pod.Namespace || !selected || !slices.Contains(typesOf(policy), way.policyType) {
			continue
		}
		judged = true
		for _, rule := range rulesOf(policy, way) {
			peers, err := w.peersOf(rule, policy.Namespace)
			if err != nil {
				return nil, false, fmt.Errorf("NetworkPolicy %s/%s: %w", policy.Namespace, policy.Name, err)
			}
			for _, line := range w.allow(way, pod, rule, peers) {
				if !slices.Contains(lines, line) {
					lines = append(lines, line)
				}
			}
		}
	}
	return lines, judged, nil
}

// allow renders one rule for one pod.
func (w *World) allow(way direction, pod *corev1.Pod, rule rule, peers []peer) (lines []string) {
	for _, peer := range peers {
		named := pod
		if !way.namesItsPort {
			named = peer.pod
		}
		for _, match := range matches(rule.ports, named) {
			lines = append(lines, fmt.Sprintf("-A %s %s %s%s -j RETURN", chainOf(way, pod), way.peer, peer.prefix, match))
		}
	}
	return lines
}

func typesOf(policy *networkingv1.NetworkPolicy) []networkingv1.PolicyType {
	if len(policy.Spec.PolicyTypes) > 0 {
		return policy.Spec.PolicyTypes
	}
	types := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	if len(policy.Spec.Egress) > 0 {
		types = append(types, networkingv1.PolicyTypeEgress)
	}
	return types
}

func rulesOf(policy *networkingv1.NetworkPolicy, way direction) (rules []rule) {
	if way.policyType == networkingv1.PolicyTypeEgress {
		for _, one := range policy.Spec.Egress {
			rules = append(rules, rule{one.To, one.Ports})
		}
		return rules
	}
	for _, one := range policy.Spec.Ingress {
		rules = append(rules, rule{one.From, one.Ports})
	}
	return rules
}

// peersOf lists the addresses of a rule. One without peers speaks of everybody, and there of every pod by itself as well: a named
// port is another number in each.
func (w *World) peersOf(rule rule, namespace string) (found []peer, err error) {
	if len(rule.peers) == 0 {
		found = append(found, peer{prefix: everywhere})
		named := func(port networkingv1.NetworkPolicyPort) bool {
			return port.Port != nil && port.Port.Type == intstr.String
		}
		for n := range w.Pods {
			if slices.ContainsFunc(rule.ports, named) {
				found = append(found, peerOf(&w.Pods[n]))
			}
		}
		return found, nil
	}
	for _, one := range rule.peers {
		if one.IPBlock != nil {
			prefixes, err := block(one.IPBlock)
			if err != nil {
				return nil, err
			}
			for _, prefix := range prefixes {
				found = append(found, peer{prefix: prefix})
			}
			continue
		}
		pods, err := w.selected(one, namespace)
		if err != nil {
			return nil, err
		}
		found = append(found, pods...)
	}
	return found, nil
}

func (w *World) selected(one networkingv1.NetworkPolicyPeer, namespace string) (found []peer, err error) {
	for n := range w.Pods {
		pod := &w.Pods[n]
		inside := pod.Namespace == namespace
		if one.NamespaceSelector != nil {
			if inside, err = selects(one.NamespaceSelector, w.labelsOf(pod.Namespace)); err != nil {
				return nil, err
			}
		}
		meant := true
		if one.PodSelector != nil {
			if meant, err = selects(one.PodSelector, pod.Labels); err != nil {
				return nil, err
			}
		}
		if inside && meant {
			found = append(found, peerOf(pod))
		}
	}
	return found, nil
}

func peerOf(pod *corev1.Pod) peer {
	address, err := netip.ParseAddr(pod.Status.PodIP)
	if err != nil || !address.Is4() {
		return peer{prefix: netip.PrefixFrom(netip.IPv4Unspecified(), 32), pod: pod}
	}
	return peer{prefix: netip.PrefixFrom(address, 32), pod: pod}
}

func (w *World) labelsOf(namespace string) map[string]string {
	for n := range w.Namespaces {
		if w.Namespaces[n].Name == namespace {
			return w.Namespaces[n].Labels
		}
	}
	return nil
}

func selects(selector *metav1.LabelSelector, set map[string]string) (bool, error) {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return false, err
	}
	return parsed.Matches(labels.Set(set)), nil
}

// block is what is left of a range without its exceptions. An IPv6 range says nothing about these packets.
func block(one *networkingv1.IPBlock) ([]netip.Prefix, error) {
	whole, err := netip.ParsePrefix(one.CIDR)
	if err != nil {
		return nil, err
	}
	if !whole.Addr().Is4() {
		return nil, nil
	}
	left := []netip.Prefix{whole.Masked()}
	for _, text := range one.Except {
		except, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		var next []netip.Prefix
		for _, prefix := range left {
			next = append(next, without(prefix, except.Masked())...)
		}
		left = next
	}
	return left, nil
}

// without takes one range out of another, by halves.
func without(whole, except netip.Prefix) []netip.Prefix {
	switch {
	case !whole.Overlaps(except):
		return []netip.Prefix{whole}
	case except.Bits() <= whole.Bits():
		return nil
	}
	lower := netip.PrefixFrom(whole.Addr(), whole.Bits()+1)
	bytes := whole.Addr().As4()
	bytes[whole.Bits()/8] |= 0x80 >> (whole.Bits() % 8)
	upper := netip.PrefixFrom(netip.AddrFrom4(bytes), whole.Bits()+1)
	return append(without(lower, except), without(upper, except)...)
}

// matches renders a rule's ports; one without ports speaks of all. A named port that the pod has not matches nothing.
func matches(ports []networkingv1.NetworkPolicyPort, pod *corev1.Pod) []string {
	if len(ports) == 0 {
		return []string{""}
	}
	var found []string
	for _, one := range ports {
		protocol := corev1.ProtocolTCP
		if one.Protocol != nil {
			protocol = *one.Protocol
		}
		name := strings.ToLower(string(protocol))
		switch {
		case one.Port == nil:
			found = append(found, " -p "+name)
		case one.Port.Type == intstr.String:
			for _, number := range named(pod, one.Port.StrVal, protocol) {
				found = append(found, fmt.Sprintf(" -p %s --dport %d", name, number))
			}
		case one.EndPort != nil:
			found = append(found, fmt.Sprintf(" -p %s --dport %d:%d", name, one.Port.IntVal, *one.EndPort))
		default:
			found = append(found, fmt.Sprintf(" -p %s --dport %d", name, one.Port.IntVal))
		}
	}
	return found
}

// named finds a pod's ports of that name, its sidecars' as well.
func named(pod *corev1.Pod, name string, protocol corev1.Protocol) (numbers []int32) {
	if pod == nil {
		return nil
	}
	containers := slices.Clone(pod.Spec.Containers)
	for _, one := range pod.Spec.InitContainers {
		if one.RestartPolicy != nil && *one.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			containers = append(containers, one)
		}
	}
	for _, container := range containers {
		for _, port := range container.Ports {
			is := port.Protocol == protocol || (port.Protocol == "" && protocol == corev1.ProtocolTCP)
			if port.Name == name && is {
				numbers = append(numbers, port.ContainerPort)
			}
		}
	}
	return numbers
}
