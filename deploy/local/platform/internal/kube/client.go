// Package kube is the little that the platform needs of a Kubernetes client: untyped objects, made, watched, changed.
package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// The resources that the platform touches.
var (
	Namespaces      = core("namespaces")
	Nodes           = core("nodes")
	Pods            = core("pods")
	Services        = core("services")
	ServiceAccounts = core("serviceaccounts")
	ConfigMaps      = core("configmaps")
	Secrets         = core("secrets")
	Claims          = core("persistentvolumeclaims")
	Volumes         = core("persistentvolumes")

	NetworkPolicies = schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}

	CRDs                = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	Deployments         = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	ClusterRoles        = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}
	ClusterRoleBindings = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"}

	StorageClasses = schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"}
	TokenReviews   = schema.GroupVersionResource{Group: "authentication.k8s.io", Version: "v1", Resource: "tokenreviews"}
	Webhooks       = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"}
	GatewayClasses = gatewayAPI("gatewayclasses")
	Gateways       = gatewayAPI("gateways")
	HTTPRoutes     = gatewayAPI("httproutes")

	ReferenceGrants = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1beta1", Resource: "referencegrants"}
)

var byKind = map[string]schema.GroupVersionResource{
	"Namespace": Namespaces, "Node": Nodes, "CustomResourceDefinition": CRDs, "StorageClass": StorageClasses,
	"ServiceAccount": ServiceAccounts, "ConfigMap": ConfigMaps, "Secret": Secrets, "Service": Services, "Deployment": Deployments,
	"ClusterRole": ClusterRoles, "ClusterRoleBinding": ClusterRoleBindings,
	"MutatingWebhookConfiguration": Webhooks, "GatewayClass": GatewayClasses, "Gateway": Gateways,
}

func core(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: resource}
}

func gatewayAPI(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: resource}
}

// Client talks to one API server.
type Client struct {
	dynamic.Interface
	Config *rest.Config
}

// New returns a client without a rate limit of its own: the API server has one.
func New(config *rest.Config) (*Client, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return impatient{next} })
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a Kubernetes client: %w", err)
	}
	return &Client{Interface: client, Config: config}, nil
}

// impatient hides Retry-After, for which the client would sleep whole seconds; who waits here polls with a deadline.
type impatient struct{ next http.RoundTripper }

func (i impatient) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := i.next.RoundTrip(request)
	if response != nil {
		response.Header.Del("Retry-After")
	}
	return response, err
}

// Parse reads the objects of a YAML stream.
func Parse(content []byte) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// Create makes an object whose kind this package knows; one that is there already is left as it is.
func (c *Client) Create(ctx context.Context, object *unstructured.Unstructured) error {
	resource, known := byKind[object.GetKind()]
	if !known {
		return fmt.Errorf("kind %s has no entry in the table of resources", object.GetKind())
	}
	what := fmt.Sprintf("creating %s %s", object.GetKind(), object.GetName())
	return Await(ctx, what, func(ctx context.Context) error {
		_, err := c.Resource(resource).Namespace(object.GetNamespace()).Create(ctx, object, metav1.CreateOptions{})
		if err == nil || apierrors.IsAlreadyExists(err) {
			return nil
		}
		if passing(err) {
			return err
		}
		return Final(what, err)
	})
}

// passing: a starting API server is not there or not ready, and a new kind is not served from the first moment on.
func passing(err error) bool {
	var status apierrors.APIStatus
	return !errors.As(err, &status) || apierrors.IsTooManyRequests(err) || apierrors.IsNotFound(err) || apierrors.IsServiceUnavailable(err)
}

// Informer watches a resource in all namespaces.
func (c *Client) Informer(resource schema.GroupVersionResource) cache.SharedIndexInformer {
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return c.Resource(resource).List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return c.Resource(resource).Watch(ctx, options)
		},
	}
	indexers := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
	return cache.NewSharedIndexInformer(lw, &unstructured.Unstructured{}, 0, indexers)
}

// HasCondition says whether status.conditions holds the condition as True.
func HasCondition(object *unstructured.Unstructured, kind string) bool {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == kind {
			return m["status"] == "True"
		}
	}
	return false
}

// final is an error that no waiting mends.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// Final ends an Await at once.
func Final(what string, err error) error { return final{fmt.Errorf("%s: %w", what, err)} }

// Patience ends what would never end: far more than anything here ever took on a machine with little time for it.
const Patience = 5 * time.Minute

// Await polls until check says yes or that it is Final, Patience or ctx ends. The last reason is in the error.
func Await(ctx context.Context, what string, check func(context.Context) error) error {
	return AwaitWithin(ctx, what, Patience, check)
}

// AwaitWithin is Await with a deadline of its own.
func AwaitWithin(ctx context.Context, what string, deadline time.Duration, check func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check(limited)
		var end final
		if err == nil || errors.As(err, &end) {
			return err
		}
		select {
		case <-limited.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("%s: not so after %s: %w", what, deadline, err)
		case <-tick.C:
		}
	}
}
