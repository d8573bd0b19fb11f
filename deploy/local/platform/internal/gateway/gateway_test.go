package gateway

import (
	"encoding/json"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type fakeWorld struct {
	gateways map[string]*gatewayObject
	labels   map[string]map[string]string
	services map[string]bool
	grants   map[string]*grantObject
}

func (w fakeWorld) gateway(namespace, name string) *gatewayObject {
	return w.gateways[namespace+"/"+name]
}
func (w fakeWorld) namespaceLabels(namespace string) map[string]string { return w.labels[namespace] }
func (w fakeWorld) serviceExists(namespace, name string) bool          { return w.services[namespace+"/"+name] }
func (w fakeWorld) granted(from, to, service string) bool {
	grant := w.grants[to]
	return grant != nil && grant.lets(from, service)
}

func parse[T any](t *testing.T, text string) *T {
	t.Helper()
	out := new(T)
	if err := json.Unmarshal([]byte(text), out); err != nil {
		t.Fatal(err)
	}
	return out
}

func small(t *testing.T) fakeWorld {
	gw := parse[gatewayObject](t, `{"metadata":{"name":"gw","namespace":"sys","generation":1},"spec":{"gatewayClassName":"c","listeners":[
		{"name":"http","port":80,"protocol":"HTTP","hostname":"*.openclaw.local","allowedRoutes":{"namespaces":{"from":"Selector","selector":{"matchLabels":{"managed":"true"}}}}},
		{"name":"shared","port":80,"protocol":"HTTP","hostname":"openclaw.local","allowedRoutes":{"namespaces":{"from":"Selector","selector":{"matchLabels":{"managed":"true"}}}}},
		{"name":"own","port":8080,"protocol":"HTTP"}]}}`)
	return fakeWorld{
		gateways: map[string]*gatewayObject{"sys/gw": gw},
		labels:   map[string]map[string]string{"t": {"managed": "true"}, "u": {}},
		services: map[string]bool{"t/svc": true, "sys/svc": true, "keda/proxy": true, "keda/other": true},
		grants: map[string]*grantObject{"keda": parse[grantObject](t, `{"spec":{
			"from":[{"group":"gateway.networking.k8s.io","kind":"HTTPRoute","namespace":"t"}],
			"to":[{"group":"","kind":"Service","name":"proxy"}]}}`)},
	}
}

func TestVerdicts(t *testing.T) {
	const parent = `"name":"gw","namespace":"sys"`
	for name, c := range map[string]struct {
		namespace, parent, host, backend string
		accepted, resolved               string
	}{
		"attached":              {"t", parent, "a.openclaw.local", `"name":"svc"`, "Accepted", "ResolvedRefs"},
		"several labels deep":   {"t", parent, "a.b.openclaw.local", `"name":"svc"`, "Accepted", "ResolvedRefs"},
		"shared host":           {"t", parent + `,"sectionName":"shared"`, "openclaw.local", `"name":"svc"`, "Accepted", "ResolvedRefs"},
		"foreign host":          {"t", parent, "a.example.com", `"name":"svc"`, "NoMatchingListenerHostname", "ResolvedRefs"},
		"bare domain":           {"t", parent + `,"sectionName":"http"`, "openclaw.local", `"name":"svc"`, "NoMatchingListenerHostname", "ResolvedRefs"},
		"namespace not labeled": {"u", parent, "a.openclaw.local", `"name":"svc"`, "NotAllowedByListeners", "BackendNotFound"},
		"same namespace":        {"sys", parent, "a.example.com", `"name":"svc"`, "Accepted", "ResolvedRefs"},
		"no such listener":      {"t", parent + `,"sectionName":"nope"`, "a.openclaw.local", `"name":"svc"`, "NoMatchingParent", "ResolvedRefs"},
		"no such port":          {"t", parent + `,"port":443`, "a.openclaw.local", `"name":"svc"`, "NoMatchingParent", "ResolvedRefs"},
		"no backend":            {"t", parent, "a.openclaw.local", `"name":"nope"`, "Accepted", "BackendNotFound"},
		"other namespace":       {"t", parent, "a.openclaw.local", `"name":"svc","namespace":"sys"`, "Accepted", "RefNotPermitted"},
		"granted":               {"t", parent, "a.openclaw.local", `"name":"proxy","namespace":"keda"`, "Accepted", "ResolvedRefs"},
		"granted to another":    {"sys", parent, "a.example.com", `"name":"proxy","namespace":"keda"`, "Accepted", "RefNotPermitted"},
		"another is granted":    {"t", parent, "a.openclaw.local", `"name":"other","namespace":"keda"`, "Accepted", "RefNotPermitted"},
		"not a Service":         {"t", parent, "a.openclaw.local", `"name":"svc","kind":"Bucket","group":"x"`, "Accepted", "InvalidKind"},
	} {
		route := parse[routeObject](t, `{"metadata":{"name":"r","namespace":"`+c.namespace+`"},"spec":{"parentRefs":[{`+c.parent+`}],
			"hostnames":["`+c.host+`"],"rules":[{"backendRefs":[{`+c.backend+`}]}]}}`)
		v, ours := judge(small(t), route, route.Spec.ParentRefs[0])
		if !ours || v.acceptedReason != c.accepted || v.resolvedReason != c.resolved {
			t.Errorf("%s: %v %s %s, want %s %s", name, ours, v.acceptedReason, v.resolvedReason, c.accepted, c.resolved)
		}
	}
}

func TestStatusIsStable(t *testing.T) {
	route := parse[routeObject](t, `{"metadata":{"name":"r","namespace":"t","generation":1},"spec":{
		"parentRefs":[{"name":"gw","namespace":"sys"},{"name":"foreign","namespace":"sys"}],
		"hostnames":["a.openclaw.local"],"rules":[{"backendRefs":[{"name":"svc"}]}]},
		"status":{"parents":[{"controllerName":"somebody.else/gateway","parentRef":{"name":"foreign"}}]}}`)
	w := small(t)
	parents, attached := routeStatus(w, route)
	if len(parents) != 2 || parents[0].ControllerName != "somebody.else/gateway" || len(attached) != 1 || attached[0].listener != "http" {
		t.Fatalf("%+v %+v", parents, attached)
	}
	long := metav1.NewTime(time.Now().Add(-time.Hour))
	for i := range parents[1].Conditions {
		parents[1].Conditions[i].LastTransitionTime = long
	}
	route.Status.Parents, route.Generation = parents, 2
	w.services = nil
	again, _ := routeStatus(w, route)
	for _, c := range again[1].Conditions {
		switch {
		case c.ObservedGeneration != 2:
			t.Errorf("%s observed generation %d", c.Type, c.ObservedGeneration)
		case c.Type == "Accepted" && !c.LastTransitionTime.Equal(&long):
			t.Error("Accepted did not change, but its lastTransitionTime did")
		case c.Type == "ResolvedRefs" && c.LastTransitionTime.Equal(&long):
			t.Error("ResolvedRefs changed, but its lastTransitionTime did not")
		}
	}
}

func TestAStatusAloneDecidesNothingAboutOthers(t *testing.T) {
	gateway := func(generation int64, label string, attached int64) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"generation": generation, "uid": "one", "labels": map[string]any{"of": label}},
			"status":   map[string]any{"listeners": []any{map[string]any{"attachedRoutes": attached}}},
		}}
	}
	before := gateway(1, "ours", 7)
	other := gateway(1, "ours", 7)
	other.SetUID("two")
	for name, c := range map[string]struct {
		now                *unstructured.Unstructured
		relevant, decisive bool
	}{
		"read again":          {gateway(1, "ours", 7), false, false},
		"one more is counted": {gateway(1, "ours", 8), true, false},
		"another spec":        {gateway(2, "ours", 7), true, true},
		"another label":       {gateway(1, "theirs", 7), true, true},
		"another of its name": {other, true, true},
	} {
		if got := relevant(before, c.now); got != c.relevant {
			t.Errorf("%s: relevant is %v", name, got)
		}
		if got := decisive(before, c.now); got != c.decisive {
			t.Errorf("%s: decisive is %v", name, got)
		}
	}
}
