package instance

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"openclaw.io/local/platform/internal/kube"
	"openclaw.io/local/platform/internal/node"
)

//go:embed objects/*.yaml
var objects embed.FS

const (
	gatewayNamespace = "openclaw-system"
	gatewayName      = "openclaw-gateway"
	storageClass     = "openclaw-local"
)

// gatewayKinds are the kinds of the Gateway API that anything here looks at. The API server and the controllers compile
// each CRD's schema, and together the ten of the standard channel would double the time of a start. The others can be
// applied from the directory gatewayAPI of platform.json.
var gatewayKinds = []string{"gatewayclasses", "gateways", "httproutes", "referencegrants"}

func mustObject(name string) []byte {
	content, err := objects.ReadFile("objects/" + name)
	if err != nil {
		panic(err) // it is part of this program
	}
	return content
}

func (i *Instance) createAll(ctx context.Context, content []byte) error {
	parsed, err := kube.Parse(content)
	if err != nil {
		return err
	}
	return i.create(ctx, parsed)
}

func (i *Instance) create(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		if err := i.kube.Create(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// installGatewayAPI creates the CRDs, those of the Gateway's own controller as well, and waits until the API server serves them.
func (i *Instance) installGatewayAPI(ctx context.Context) error {
	errs := make(chan error, len(gatewayKinds))
	for _, kind := range gatewayKinds {
		go func() {
			content, err := os.ReadFile(filepath.Join(i.tools.GatewayAPI, "gateway.networking.k8s.io_"+kind+".json"))
			if err == nil {
				err = i.createAll(ctx, content)
			}
			errs <- err
		}()
	}
	var err error
	for range gatewayKinds {
		err = errors.Join(err, <-errs)
	}
	err = errors.Join(err, i.defineContour(ctx))
	if err != nil {
		return err
	}
	return kube.Await(ctx, "the Gateway API's CRDs are served", func(ctx context.Context) error {
		list, err := i.kube.Resource(kube.CRDs).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, crd := range list.Items {
			if !kube.HasCondition(&crd, "Established") {
				return fmt.Errorf("%s is not Established", crd.GetName())
			}
		}
		return nil
	})
}

// installWebhook registers the Pod Identity stand-in as EKS registers its own: for every pod that is created, and never
// in a pod's way (failurePolicy Ignore).
func (i *Instance) installWebhook(ctx context.Context, url string) error {
	hook := map[string]any{
		"name":                    "pod-identity.openclaw-local.io",
		"clientConfig":            map[string]any{"url": url, "caBundle": encode(i.ca.pem)},
		"admissionReviewVersions": []any{"v1"},
		"failurePolicy":           "Ignore",
		"sideEffects":             "None",
		"reinvocationPolicy":      "IfNeeded",
		"timeoutSeconds":          int64(5),
		"rules": []any{map[string]any{
			"apiGroups": []any{""}, "apiVersions": []any{"v1"}, "operations": []any{"CREATE"}, "resources": []any{"pods"}, "scope": "Namespaced",
		}},
	}
	const name = "pod-identity-webhook"
	// A cluster that outlives its stand-ins (kind's) still has the address of the last ones.
	err := i.kube.Resource(kube.Webhooks).Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return i.kube.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
		"metadata": map[string]any{"name": name},
		"webhooks": []any{hook},
	}})
}

type expectation struct {
	what      string
	resource  schema.GroupVersionResource
	ns, name  string
	condition string // empty: that it exists is enough
}

// awaitCluster waits for what only running controllers and stand-ins can bring about.
func (i *Instance) awaitCluster(ctx context.Context) error {
	expected := []expectation{
		{"the Gateway is programmed", kube.Gateways, gatewayNamespace, gatewayName, "Programmed"},
		{"the controllers work", kube.ServiceAccounts, gatewayNamespace, "default", ""},
	}
	if i.options.Node != nil {
		expected = append(expected, expectation{"node " + node.Name + " is ready", kube.Nodes, "", node.Name, "Ready"})
		if err := i.runs(ctx, "the cluster's names are answered", "kube-system", "coredns"); err != nil {
			return err
		}
	}
	if !i.playsGateway() {
		if err := i.runs(ctx, "the Gateway leads on", gatewayNamespace, "envoy"); err != nil {
			return err
		}
	}
	if i.options.Kwok {
		for _, node := range []string{"local-0", "local-1"} {
			expected = append(expected, expectation{"node " + node + " is ready", kube.Nodes, "", node, "Ready"})
		}
	}
	for _, c := range expected {
		err := kube.Await(ctx, c.what, func(ctx context.Context) error {
			object, err := i.kube.Resource(c.resource).Namespace(c.ns).Get(ctx, c.name, metav1.GetOptions{})
			if err == nil && c.condition != "" && !kube.HasCondition(object, c.condition) {
				err = fmt.Errorf("%s is not %s", c.name, c.condition)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
