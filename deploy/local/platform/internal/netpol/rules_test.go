package netpol

import (
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

var pods = netip.MustParsePrefix("10.244.0.0/24")

func parse[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := yaml.UnmarshalStrict([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func pod(t *testing.T, namespace, name, ip string) corev1.Pod {
	return parse[corev1.Pod](t, `
metadata: {namespace: `+namespace+`, name: `+name+`, labels: {app: `+name+`}}
spec: {containers: [{name: c, ports: [{name: web, containerPort: 8080}]}]}
status: {phase: Running, podIP: `+ip+`}`)
}

func world(t *testing.T, policies ...string) World {
	w := World{
		Pods: []corev1.Pod{pod(t, "a", "alice", "10.244.0.2"), pod(t, "b", "bob", "10.244.0.3")},
		Namespaces: []corev1.Namespace{
			parse[corev1.Namespace](t, "metadata: {name: a, labels: {team: a}}"),
			parse[corev1.Namespace](t, "metadata: {name: b, labels: {team: b}}"),
		},
	}
	for _, text := range policies {
		w.Policies = append(w.Policies, parse[networkingv1.NetworkPolicy](t, text))
	}
	return w
}

// allowed lists what alice's chain lets through in one direction, and whether she has one.
func allowed(t *testing.T, w World, way direction) ([]string, bool) {
	t.Helper()
	table, err := Table(w, pods)
	if err != nil {
		t.Fatal(err)
	}
	chain := "-A " + chainOf(way, &w.Pods[0]) + " "
	var found []string
	judged := false
	for line := range strings.Lines(table) {
		rest, is := strings.CutPrefix(strings.TrimSpace(line), chain)
		if !is {
			continue
		}
		judged = true
		if rest != "-j DROP" {
			found = append(found, strings.TrimSuffix(rest, " -j RETURN"))
		}
	}
	return found, judged
}

func TestWhatAPolicyAllows(t *testing.T) {
	const head = "metadata: {namespace: a, name: p}\nspec: {podSelector: {}, "
	cases := map[string]struct {
		policy string
		way    direction
		want   []string
		judged bool
	}{
		"nothing selects it":            {"metadata: {namespace: b, name: p}\nspec: {podSelector: {}, policyTypes: [Egress]}", egress, nil, false},
		"deny all":                      {head + "policyTypes: [Egress]}", egress, nil, true},
		"the other direction is free":   {head + "policyTypes: [Egress]}", ingress, nil, false},
		"ingress where no type is said": {head + "ingress: []}", ingress, nil, true},
		"egress where rules say so":     {head + "egress: [{}]}", egress, []string{"-d 0.0.0.0/0"}, true},
		"a range without a part": {
			head + "policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.128.0.0/9, 10.0.0.0/10]}}], ports: [{port: 443}]}]}", egress,
			[]string{"-d 10.64.0.0/10 -p tcp --dport 443"}, true,
		},
		"IPv6 says nothing": {head + "policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: '::/0'}}]}]}", egress, nil, true},
		"a pod of a namespace, by a named port": {
			head + "policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {team: b}}, podSelector: {matchLabels: {app: bob}}}], ports: [{port: web}]}]}", egress,
			[]string{"-d 10.244.0.3/32 -p tcp --dport 8080"}, true,
		},
		"its own named port, from the same namespace": {
			head + "ingress: [{from: [{podSelector: {}}], ports: [{port: web}, {port: dns, protocol: UDP}]}]}", ingress,
			[]string{"-s 10.244.0.2/32 -p tcp --dport 8080"}, true,
		},
		"a range of ports": {head + "policyTypes: [Egress], egress: [{ports: [{port: 1, endPort: 9, protocol: UDP}]}]}", egress, []string{"-d 0.0.0.0/0 -p udp --dport 1:9"}, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			found, judged := allowed(t, world(t, c.policy), c.way)
			if judged != c.judged || strings.Join(found, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("judged %v, allowed %q; want %v, %q", judged, found, c.judged, c.want)
			}
		})
	}
}

// The whole of a small world, as the kernel gets it.
func TestTable(t *testing.T) {
	w := world(t, "metadata: {namespace: a, name: p}\nspec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24}}]}]}")
	w.Pods = append(w.Pods, pod(t, "b", "ended", "10.244.0.4"))
	w.Pods[2].Status.Phase = corev1.PodSucceeded
	table, err := Table(w, pods)
	if err != nil {
		t.Fatal(err)
	}
	chain := chainOf(egress, &w.Pods[0])
	want := strings.Join([]string{
		"*filter", ":OPENCLAW-NETPOL - [0:0]", ":NP-E-PODS - [0:0]", ":" + chain + " - [0:0]", ":NP-I-PODS - [0:0]",
		"-A OPENCLAW-NETPOL -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
		"-A OPENCLAW-NETPOL -s 10.244.0.0/24 -j NP-E-PODS", "-A OPENCLAW-NETPOL -d 10.244.0.0/24 -j NP-I-PODS",
		"-A " + chain + " -d 192.0.2.0/24 -j RETURN", "-A " + chain + " -j DROP",
		"-A NP-E-PODS -s 10.244.0.2/32 -j " + chain, "-A NP-E-PODS -s 10.244.0.2/32 -j RETURN",
		"-A NP-E-PODS -s 10.244.0.3/32 -j RETURN", "-A NP-E-PODS -j DROP",
		"-A NP-I-PODS -d 10.244.0.2/32 -j RETURN", "-A NP-I-PODS -d 10.244.0.3/32 -j RETURN", "-A NP-I-PODS -j DROP",
		"COMMIT", "",
	}, "\n")
	if table != want {
		t.Errorf("got\n%s\nwant\n%s", table, want)
	}
}

func TestWithoutLeavesTheRest(t *testing.T) {
	left := without(netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("169.254.0.0/16"))
	var addresses uint64
	for _, prefix := range left {
		if prefix.Contains(netip.MustParseAddr("169.254.170.23")) || prefix.Masked() != prefix {
			t.Errorf("%s", prefix)
		}
		addresses += 1 << (32 - prefix.Bits())
	}
	if addresses != 1<<32-1<<16 {
		t.Errorf("%d addresses are left", addresses)
	}
}
