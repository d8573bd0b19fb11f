package gateway

import (
	"encoding/json"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"
)

// The Controller's caches are the world that decisions are made from.

func (c *Controller) gateway(namespace, name string) *gatewayObject {
	object, exists, _ := c.gateways.GetIndexer().GetByKey(namespace + "/" + name)
	if !exists {
		return nil
	}
	gw, ok := decode[gatewayObject](object)
	if !ok || !c.ours(gw) {
		return nil
	}
	return gw
}

func (c *Controller) ours(gw *gatewayObject) bool {
	object, exists, _ := c.classes.GetIndexer().GetByKey(gw.Spec.GatewayClassName)
	if !exists {
		return false
	}
	name, _, _ := unstructured.NestedString(object.(*unstructured.Unstructured).Object, "spec", "controllerName")
	return name == controller
}

func (c *Controller) namespaceLabels(namespace string) map[string]string {
	object, exists, _ := c.namespaces.GetIndexer().GetByKey(namespace)
	if !exists {
		return nil
	}
	return object.(*unstructured.Unstructured).GetLabels()
}

func (c *Controller) serviceExists(namespace, name string) bool {
	_, exists, _ := c.services.GetIndexer().GetByKey(namespace + "/" + name)
	return exists
}

// granted says whether a ReferenceGrant lets routes of one namespace name a Service of another.
func (c *Controller) granted(from, to, service string) bool {
	objects, _ := c.grants.GetIndexer().ByIndex(cache.NamespaceIndex, to)
	return slices.ContainsFunc(objects, func(object any) bool {
		grant, ok := decode[grantObject](object)
		return ok && grant.lets(from, service)
	})
}

// toPlain turns a typed value into maps and lists.
func toPlain(value any) (any, error) {
	content, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var plain any
	return plain, json.Unmarshal(content, &plain)
}
