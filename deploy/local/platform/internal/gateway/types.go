// Package gateway stands in for a Gateway API implementation: it moves no traffic, but says of Gateways and HTTPRoutes
// what a conformant implementation would say.
package gateway

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// The few fields of the Gateway API that decide about attachment.

type gatewayObject struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		GatewayClassName string     `json:"gatewayClassName"`
		Listeners        []listener `json:"listeners"`
	} `json:"spec"`
	Status gatewayStatus `json:"status,omitempty"`
}

type listener struct {
	Name          string  `json:"name"`
	Hostname      *string `json:"hostname,omitempty"`
	Port          int64   `json:"port"`
	Protocol      string  `json:"protocol"`
	AllowedRoutes *struct {
		Namespaces *struct {
			From     *string               `json:"from,omitempty"`
			Selector *metav1.LabelSelector `json:"selector,omitempty"`
		} `json:"namespaces,omitempty"`
		Kinds []routeKind `json:"kinds,omitempty"`
	} `json:"allowedRoutes,omitempty"`
}

type routeKind struct {
	Group *string `json:"group,omitempty"`
	Kind  string  `json:"kind"`
}

type gatewayStatus struct {
	Addresses  []address          `json:"addresses,omitempty"`
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	Listeners  []listenerStatus   `json:"listeners,omitempty"`
}

type address struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type listenerStatus struct {
	Name           string             `json:"name"`
	SupportedKinds []routeKind        `json:"supportedKinds"`
	AttachedRoutes int                `json:"attachedRoutes"`
	Conditions     []metav1.Condition `json:"conditions"`
}

type routeObject struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		ParentRefs []parentRef `json:"parentRefs"`
		Hostnames  []string    `json:"hostnames"`
		Rules      []struct {
			BackendRefs []backendRef `json:"backendRefs"`
		} `json:"rules"`
	} `json:"spec"`
	Status struct {
		Parents []parentStatus `json:"parents,omitempty"`
	} `json:"status,omitempty"`
}

type parentRef struct {
	Group       *string `json:"group,omitempty"`
	Kind        *string `json:"kind,omitempty"`
	Namespace   *string `json:"namespace,omitempty"`
	Name        string  `json:"name"`
	SectionName *string `json:"sectionName,omitempty"`
	Port        *int64  `json:"port,omitempty"`
}

type backendRef struct {
	Group     *string `json:"group,omitempty"`
	Kind      *string `json:"kind,omitempty"`
	Namespace *string `json:"namespace,omitempty"`
	Name      string  `json:"name"`
	Port      *int64  `json:"port,omitempty"`
}

type parentStatus struct {
	ParentRef      parentRef          `json:"parentRef"`
	ControllerName string             `json:"controllerName"`
	Conditions     []metav1.Condition `json:"conditions,omitempty"`
}

type grantObject struct {
	Spec struct {
		From []struct {
			Group     string `json:"group"`
			Kind      string `json:"kind"`
			Namespace string `json:"namespace"`
		} `json:"from"`
		To []struct {
			Group string  `json:"group"`
			Kind  string  `json:"kind"`
			Name  *string `json:"name,omitempty"`
		} `json:"to"`
	} `json:"spec"`
}

// lets says whether HTTPRoutes of a namespace may name a Service. Without a name a grant is about all of them.
func (g *grantObject) lets(from, service string) bool {
	isFrom, isTo := false, false
	for _, f := range g.Spec.From {
		isFrom = isFrom || f.Group == "gateway.networking.k8s.io" && f.Kind == "HTTPRoute" && f.Namespace == from
	}
	for _, t := range g.Spec.To {
		isTo = isTo || t.Group == "" && t.Kind == "Service" && or(t.Name, service) == service
	}
	return isFrom && isTo
}

func or[T any](value *T, otherwise T) T {
	if value == nil {
		return otherwise
	}
	return *value
}

func decode[T any](object any) (*T, bool) {
	u, ok := object.(*unstructured.Unstructured)
	if !ok {
		return nil, false
	}
	out := new(T)
	return out, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out) == nil
}
