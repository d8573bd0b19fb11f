package instance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"openclaw.io/local/platform/internal/kube"
	"openclaw.io/local/platform/internal/node"
	"openclaw.io/local/platform/internal/proc"
)

// Kubernetes' own limits are made for clusters that share a network with others; hundreds of tenants at once should
// wait for the operator, not for the controllers' clients.
const clientQPS, clientBurst = "300", "500"

func (i *Instance) startEtcd() error {
	client, err := i.ports.Take()
	if err != nil {
		return err
	}
	peer, err := i.ports.Take()
	if err != nil {
		return err
	}
	i.etcdURL, i.etcdPeerURL = fmt.Sprintf("http://127.0.0.1:%d", client), fmt.Sprintf("http://127.0.0.1:%d", peer)
	return i.runEtcd()
}

func (i *Instance) runEtcd() error {
	peerURL := i.etcdPeerURL
	_, err := i.group.Start(proc.Spec{Name: "etcd", Path: i.tools.Etcd, Args: []string{
		"--name=local", "--data-dir=" + i.path("etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls=" + i.etcdURL, "--advertise-client-urls=" + i.etcdURL,
		"--listen-peer-urls=" + peerURL, "--initial-advertise-peer-urls=" + peerURL,
		"--initial-cluster=local=" + peerURL, "--quota-backend-bytes=8589934592",
	}})
	if err != nil {
		return err
	}
	return i.awaitHTTP("etcd answers", http.DefaultClient, i.etcdURL+"/health", "")
}

func (i *Instance) startAPIServer() error {
	err := os.WriteFile(i.path("audit-policy.yaml"), mustObject("audit-policy.yaml"), 0o600)
	if err != nil {
		return err
	}
	// Loopback is refused as an endpoint of the Service "kubernetes"; where no pod is real nothing uses that Service.
	ways := []string{"--endpoint-reconciler-type=none"}
	if i.options.Node != nil {
		ways = []string{
			"--kubelet-client-certificate=" + i.path("pki", "kubelet-client.crt"), "--kubelet-client-key=" + i.path("pki", "kubelet-client.key"),
			"--kubelet-certificate-authority=" + i.path("pki", "ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		}
	}
	_, err = i.group.Start(proc.Spec{Name: "kube-apiserver", Path: i.tools.APIServer, Args: append(ways,
		"--etcd-servers="+i.etcdURL,
		"--bind-address="+i.host.String(), "--advertise-address="+i.host.String(), fmt.Sprintf("--secure-port=%d", i.apiPort),
		"--service-cluster-ip-range="+node.ServiceRange.String(),
		"--tls-cert-file="+i.path("pki", "server.crt"), "--tls-private-key-file="+i.path("pki", "server.key"),
		"--token-auth-file="+i.path("pki", "tokens.csv"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+i.path("pki", "service-accounts.key"),
		"--service-account-signing-key-file="+i.path("pki", "service-accounts.key"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
		"--audit-policy-file="+i.path("audit-policy.yaml"), "--audit-log-path="+i.path("audit.log"),
		"--audit-log-maxsize=4096", // MB; never rotated away under a reader
		"--max-requests-inflight=1200", "--max-mutating-requests-inflight=600", "--profiling=false",
	)})
	return err
}

func (i *Instance) awaitAPIServer() error {
	client, err := i.httpClient()
	if err != nil {
		return err
	}
	return i.awaitHTTP("the API server is ready", client, i.serverURL()+"/readyz", i.tokens["admin"])
}

func (i *Instance) startControllers() error {
	_, err := i.group.Start(proc.Spec{Name: "kube-controller-manager", Path: i.tools.ControllerManager, Args: []string{
		"--kubeconfig=" + i.path("pki", "controller-manager.kubeconfig"), "--leader-elect=false", "--secure-port=0",
		"--use-service-account-credentials", "--service-account-private-key-file=" + i.path("pki", "service-accounts.key"),
		"--root-ca-file=" + i.path("pki", "ca.crt"), "--enable-hostpath-provisioner",
		"--kube-api-qps=" + clientQPS, "--kube-api-burst=" + clientBurst,
		"--concurrent-namespace-syncs=20", "--concurrent-resource-quota-syncs=20", "--concurrent-statefulset-syncs=20",
		"--concurrent-deployment-syncs=10", "--concurrent-replicaset-syncs=10", "--concurrent-serviceaccount-token-syncs=10",
		"--concurrent-endpoint-syncs=10", "--concurrent-service-endpoint-syncs=10", "--concurrent-gc-syncs=40",
	}})
	if err != nil {
		return err
	}
	config := fmt.Sprintf("apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"+
		"leaderElection: {leaderElect: false}\nclientConnection: {kubeconfig: %q, qps: %s, burst: %s}\n",
		i.path("pki", "scheduler.kubeconfig"), clientQPS, clientBurst)
	if err := os.WriteFile(i.path("scheduler.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	_, err = i.group.Start(proc.Spec{Name: "kube-scheduler", Path: i.tools.Scheduler,
		Args: []string{"--config=" + i.path("scheduler.yaml"), "--secure-port=0"}})
	return err
}

// startNodes lets kwok play the kubelets. Another kind of node would be started here instead.
func (i *Instance) startNodes() error {
	if !i.options.Kwok {
		return nil
	}
	if err := os.WriteFile(i.path("kwok.yaml"), mustObject("kwok.yaml"), 0o600); err != nil {
		return err
	}
	args := []string{"--kubeconfig=" + i.path("pki", "kwok.kubeconfig"), "--config=" + i.path("kwok.yaml"), "--manage-all-nodes=true",
		"--cidr=10.244.0.0/16", "--node-lease-duration-seconds=120"}
	for _, stage := range i.tools.KwokStages {
		args = append(args, "--config="+stage)
	}
	_, err := i.group.Start(proc.Spec{Name: "kwok", Path: i.tools.Kwok, Args: args})
	return err
}

// awaitHTTP waits until url answers 200, or a child has ended.
func (i *Instance) awaitHTTP(what string, client *http.Client, url, token string) error {
	return kube.Await(i.ctx, what, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(response.Body, 2000))
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", response.Status, body)
		}
		return nil
	})
}

func (i *Instance) path(parts ...string) string {
	return filepath.Join(append([]string{i.options.Dir}, parts...)...)
}

func (i *Instance) serverURL() string { return fmt.Sprintf("https://%s:%d", i.host, i.apiPort) }
