package instance

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"openclaw.io/local/platform/internal/gateway"
	"openclaw.io/local/platform/internal/proc"
)

// Where a real node hands on to Envoy: objects/envoy.yaml names them.
const gatewayPort, secureGatewayPort = "30080", "30443"

// gatewayTLS is the Secret with the certificate of whom browsers ask.
const gatewayTLS = "openclaw-gateway-tls"

// contourController is whose a GatewayClass says to be that is Contour's.
const contourController = "projectcontour.io/gateway-controller"

// contourConfig has Contour serve the one Gateway that there is.
const contourConfig = "gateway: { gatewayRef: { namespace: " + gatewayNamespace + ", name: " + gatewayName + " } }\n"

// playsGateway says whether a stand-in writes statuses of the Gateway and its routes, and no traffic is moved.
func (i *Instance) playsGateway() bool { return i.options.Gateway == nil }

// startStandIn plays the Gateway's controller, where there is no real one.
func (i *Instance) startStandIn() {
	if !i.playsGateway() {
		return
	}
	ctx, end := context.WithCancel(i.ctx)
	i.standIn = end
	go i.serving("the gateway stand-in", func() error {
		err := gateway.New(i.kube).Run(ctx)
		if ctx.Err() != nil {
			return net.ErrClosed
		}
		return err
	})
}

// defineContour creates Contour's own kinds.
func (i *Instance) defineContour(ctx context.Context) error {
	if i.playsGateway() {
		return nil
	}
	definitions, err := os.ReadFile(i.options.Gateway.Definitions)
	if err != nil {
		return err
	}
	return i.createAll(ctx, definitions)
}

// startGateway runs Contour on this machine and Envoy in a pod: what asks a real node's port gatewayPort is led as routes say.
func (i *Instance) startGateway() error {
	if i.playsGateway() {
		return nil
	}
	xds, err := i.startContour()
	if err != nil {
		return err
	}
	config, err := i.envoyConfig(xds)
	if err != nil {
		return err
	}
	err = i.kube.Create(i.ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "envoy", "namespace": gatewayNamespace},
		"data": map[string]any{"envoy.json": config},
	}})
	if err != nil {
		return err
	}
	i.info.Gateway.Address = net.JoinHostPort(i.nodeAddress.String(), gatewayPort)
	i.info.Gateway.SecureAddress = net.JoinHostPort(i.nodeAddress.String(), secureGatewayPort)
	return i.createAll(i.ctx, mustObject("envoy.yaml"))
}

// secured adds to each listener of the Gateway one that ends TLS, with a certificate of the instance's own authority: OpenClaw's page lets
// nobody in that has come without (docs/decisions/0005).
func secured(object *unstructured.Unstructured) error {
	listeners, _, err := unstructured.NestedSlice(object.Object, "spec", "listeners")
	if err != nil {
		return err
	}
	for _, plain := range slices.Clone(listeners) {
		secure := maps.Clone(plain.(map[string]any))
		secure["name"] = secureName(secure["name"].(string))
		secure["protocol"], secure["port"] = "HTTPS", int64(443)
		secure["tls"] = map[string]any{"mode": "Terminate", "certificateRefs": []any{map[string]any{"name": gatewayTLS}}}
		listeners = append(listeners, secure)
	}
	return unstructured.SetNestedSlice(object.Object, listeners, "spec", "listeners")
}

// gatewayCertificate is the Secret that those listeners name.
func (i *Instance) gatewayCertificate() (*unstructured.Unstructured, error) {
	certificate, key, err := i.ca.serving("openclaw.local", "*.openclaw.local")
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": gatewayTLS, "namespace": gatewayNamespace},
		"type": "kubernetes.io/tls", "data": map[string]any{"tls.crt": encode(certificate), "tls.key": encode(key)},
	}}, err
}

// secureName is what the listener beside that one is called: https, shared-https.
func secureName(plain string) string {
	if plain == "http" {
		return "https"
	}
	return plain + "-https"
}

// startContour returns the port at which Envoy asks it.
func (i *Instance) startContour() (int, error) {
	var ports [4]int
	for n := range ports {
		var err error
		if ports[n], err = i.ports.Take(); err != nil {
			return 0, err
		}
	}
	config := i.path("contour.yaml")
	if err := os.WriteFile(config, []byte(contourConfig), 0o600); err != nil {
		return 0, err
	}
	args := []string{
		"serve", "--kubeconfig=" + i.path("pki", "platform.kubeconfig"), "--config-path=" + config, "--disable-leader-election",
		// Over a cable that nobody else has.
		"--insecure", "--xds-address=" + i.host.String(), fmt.Sprintf("--xds-port=%d", ports[0]),
		"--http-address=" + i.host.String(), fmt.Sprintf("--http-port=%d", ports[1]),
		"--health-address=" + i.host.String(), fmt.Sprintf("--health-port=%d", ports[2]),
		// Its own default is one port of the machine, which another instance has.
		"--debug-http-address=" + i.host.String(), fmt.Sprintf("--debug-http-port=%d", ports[3]),
	}
	// Kinds of the Gateway API that are not installed here.
	for _, feature := range []string{"tcproutes", "tlsroutes", "grpcroutes", "backendtlspolicies"} {
		args = append(args, "--disable-feature="+feature)
	}
	_, err := i.group.Start(proc.Spec{Name: "contour", Path: i.options.Gateway.Contour, Args: args})
	return ports[0], err
}

func (i *Instance) envoyConfig(xds int) (string, error) {
	path := i.path("envoy.json")
	out, err := exec.Command(i.options.Gateway.Contour, "bootstrap", path, "--admin-address=/admin/admin.sock",
		"--xds-address="+i.host.String(), "--xds-port="+strconv.Itoa(xds)).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("contour bootstrap: %w: %s", err, out)
	}
	content, err := os.ReadFile(path)
	return string(content), err
}
