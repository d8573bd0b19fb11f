package gateway

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func condition(kind string, is bool, reason, message string, generation int64) metav1.Condition {
	status := metav1.ConditionFalse
	if is {
		status = metav1.ConditionTrue
	}
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: generation}
}

// merge sets the conditions in old ones, whose lastTransitionTime stays where the status does.
func merge(old []metav1.Condition, wanted ...metav1.Condition) []metav1.Condition {
	merged := slices.Clone(old)
	for _, c := range wanted {
		meta.SetStatusCondition(&merged, c)
	}
	return merged
}

// routeStatus returns the parents that the route should show: ours judged anew, other controllers' as they are.
func routeStatus(w world, route *routeObject) (parents []parentStatus, attached []attachment) {
	parents = slices.DeleteFunc(slices.Clone(route.Status.Parents), func(p parentStatus) bool { return p.ControllerName == controller })
	for _, ref := range route.Spec.ParentRefs {
		v, ours := judge(w, route, ref)
		if !ours {
			continue
		}
		parents = append(parents, parentStatus{
			ParentRef: ref, ControllerName: controller,
			Conditions: merge(oldConditions(route, ref),
				condition("Accepted", v.accepted, v.acceptedReason, v.acceptMsg, route.Generation),
				condition("ResolvedRefs", v.resolved, v.resolvedReason, v.resolvMsg, route.Generation)),
		})
		for _, name := range v.listeners {
			attached = append(attached, attachment{or(ref.Namespace, route.Namespace) + "/" + ref.Name, name})
		}
	}
	return parents, attached
}

func oldConditions(route *routeObject, ref parentRef) []metav1.Condition {
	for _, p := range route.Status.Parents {
		if p.ControllerName == controller && reflect.DeepEqual(p.ParentRef, ref) {
			return p.Conditions
		}
	}
	return nil
}

// attachment is one route at one listener of a gateway.
type attachment struct{ gateway, listener string }

func gatewayStatusOf(gw *gatewayObject, attached map[string]int) gatewayStatus {
	status := gatewayStatus{
		Addresses: []address{{Type: "IPAddress", Value: "127.0.0.1"}},
		Conditions: merge(gw.Status.Conditions,
			condition("Accepted", true, "Accepted", "accepted by the local stand-in", gw.Generation),
			condition("Programmed", true, "Programmed", "no traffic is moved", gw.Generation)),
	}
	group := apiGroup
	for _, l := range gw.Spec.Listeners {
		var old []metav1.Condition
		for _, o := range gw.Status.Listeners {
			if o.Name == l.Name {
				old = o.Conditions
			}
		}
		status.Listeners = append(status.Listeners, listenerStatus{
			Name: l.Name, SupportedKinds: []routeKind{{Group: &group, Kind: "HTTPRoute"}}, AttachedRoutes: attached[l.Name],
			Conditions: merge(old,
				condition("Accepted", true, "Accepted", "", gw.Generation),
				condition("Programmed", true, "Programmed", "", gw.Generation),
				condition("ResolvedRefs", true, "ResolvedRefs", "", gw.Generation),
				condition("Conflicted", false, "NoConflicts", "", gw.Generation)),
		})
	}
	return status
}
