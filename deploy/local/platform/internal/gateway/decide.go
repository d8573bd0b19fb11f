package gateway

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

const (
	apiGroup   = "gateway.networking.k8s.io"
	controller = "openclaw.io/local-gateway"
)

// world is what decisions are made from.
type world interface {
	gateway(namespace, name string) *gatewayObject // nil unless it is of our class
	namespaceLabels(namespace string) map[string]string
	serviceExists(namespace, name string) bool
	granted(from, to, service string) bool
}

// verdict is what is said of one route at one parent.
type verdict struct {
	accepted, resolved        bool
	acceptedReason, acceptMsg string
	resolvedReason, resolvMsg string
	listeners                 []string // that the route is attached to
}

// judge decides about one parentRef. ok is false where the parent is not ours to speak about.
func judge(w world, route *routeObject, ref parentRef) (v verdict, ok bool) {
	if or(ref.Group, apiGroup) != apiGroup || or(ref.Kind, "Gateway") != "Gateway" {
		return v, false
	}
	gw := w.gateway(or(ref.Namespace, route.Namespace), ref.Name)
	if gw == nil {
		return v, false
	}
	v.acceptedReason, v.acceptMsg = accept(w, gw, route, ref, &v.listeners)
	v.accepted = v.acceptedReason == "Accepted"
	v.resolvedReason, v.resolvMsg = resolve(w, route)
	v.resolved = v.resolvedReason == "ResolvedRefs"
	return v, true
}

// accept goes through the listeners as the specification does: which are meant, which let the route's namespace in,
// which share a host name with it. The first that leaves none gives the reason.
func accept(w world, gw *gatewayObject, route *routeObject, ref parentRef, attached *[]string) (reason, message string) {
	meant := slices.DeleteFunc(slices.Clone(gw.Spec.Listeners), func(l listener) bool {
		return ref.SectionName != nil && *ref.SectionName != l.Name || ref.Port != nil && *ref.Port != l.Port
	})
	if len(meant) == 0 {
		return "NoMatchingParent", "the Gateway has no listener of that name and port"
	}
	allowed := slices.DeleteFunc(meant, func(l listener) bool { return !allows(w, gw, l, route.Namespace) })
	if len(allowed) == 0 {
		return "NotAllowedByListeners", "no listener allows routes from namespace " + route.Namespace + "; look at allowedRoutes and the namespace's labels"
	}
	for _, l := range allowed {
		if hostnamesIntersect(or(l.Hostname, ""), route.Spec.Hostnames) {
			*attached = append(*attached, l.Name)
		}
	}
	if len(*attached) == 0 {
		return "NoMatchingListenerHostname", "no listener's hostname matches any of " + strings.Join(route.Spec.Hostnames, ", ")
	}
	return "Accepted", "attached to " + strings.Join(*attached, ", ")
}

func allows(w world, gw *gatewayObject, l listener, namespace string) bool {
	from, selector := "Same", (*metav1.LabelSelector)(nil)
	if l.AllowedRoutes != nil {
		if !allowsHTTPRoutes(l.AllowedRoutes.Kinds) {
			return false
		}
		if n := l.AllowedRoutes.Namespaces; n != nil {
			from, selector = or(n.From, "Same"), n.Selector
		}
	}
	switch from {
	case "All":
		return true
	case "Same":
		return namespace == gw.Namespace
	case "Selector":
		matcher, err := metav1.LabelSelectorAsSelector(selector)
		return err == nil && matcher.Matches(labels.Set(w.namespaceLabels(namespace)))
	}
	return false
}

func allowsHTTPRoutes(kinds []routeKind) bool {
	return len(kinds) == 0 || slices.ContainsFunc(kinds, func(k routeKind) bool {
		return k.Kind == "HTTPRoute" && or(k.Group, apiGroup) == apiGroup
	})
}

// hostnamesIntersect: a listener or route without host names takes all; "*." stands for one or more labels.
func hostnamesIntersect(listener string, route []string) bool {
	if listener == "" || len(route) == 0 {
		return true
	}
	return slices.ContainsFunc(route, func(host string) bool {
		return hostCovers(listener, host) || hostCovers(host, listener)
	})
}

func hostCovers(pattern, host string) bool {
	if suffix, wild := strings.CutPrefix(pattern, "*"); wild {
		return strings.HasSuffix(host, suffix) && len(host) > len(suffix)
	}
	return pattern == host
}

// resolve looks whether every backend is there.
func resolve(w world, route *routeObject) (reason, message string) {
	for _, rule := range route.Spec.Rules {
		for _, backend := range rule.BackendRefs {
			namespace := or(backend.Namespace, route.Namespace)
			switch {
			case or(backend.Group, "") != "" || or(backend.Kind, "Service") != "Service":
				return "InvalidKind", fmt.Sprintf("backend %s is not a Service", backend.Name)
			case namespace != route.Namespace && !w.granted(route.Namespace, namespace, backend.Name):
				return "RefNotPermitted", fmt.Sprintf("no ReferenceGrant lets a route name backend %s/%s", namespace, backend.Name)
			case !w.serviceExists(namespace, backend.Name):
				return "BackendNotFound", fmt.Sprintf("Service %s/%s does not exist", namespace, backend.Name)
			}
		}
	}
	return "ResolvedRefs", "all backends exist"
}
