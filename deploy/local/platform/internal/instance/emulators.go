package instance

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"openclaw.io/local/platform/internal/awsproxy"
	"openclaw.io/local/platform/internal/podidentity"
	"openclaw.io/local/platform/internal/proc"
)

const (
	region      = "us-west-2"
	accountID   = "123456789012" // moto's own
	clusterName = "openclaw-local"
	tenantRole  = "openclaw-tenant"
)

// startEmulators starts ministack and moto, and waits until both answer.
func (i *Instance) startEmulators() error {
	ministack, err := i.startMinistack()
	if err != nil {
		return err
	}
	moto, err := i.startMoto()
	if err != nil {
		return err
	}
	if err := i.awaitHTTP("ministack (EKS) answers", http.DefaultClient, ministack+"/_ministack/health", ""); err != nil {
		return err
	}
	if err := i.awaitHTTP("moto (Secrets Manager, IAM, STS) answers", http.DefaultClient, moto+"/moto-api/data.json", ""); err != nil {
		return err
	}
	i.aws = awsproxy.New(awsproxy.Account{Region: region, ID: accountID, Cluster: clusterName, TenantRole: tenantRole}, ministack, moto)
	return nil
}

func (i *Instance) startMinistack() (string, error) {
	port, err := i.ports.Take()
	if err != nil {
		return "", err
	}
	scratch := i.path("ministack")
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return "", err
	}
	_, err = i.group.Start(proc.Spec{Name: "ministack", Path: i.tools.Python, Args: []string{"-m", "ministack"},
		Env: []string{
			fmt.Sprintf("GATEWAY_PORT=%d", port), "BIND_HOST=127.0.0.1", "SERVICES=eks,iam", "LOG_LEVEL=WARNING",
			"MINISTACK_ACCOUNT_ID=" + accountID, "MINISTACK_REGION=" + region, "TMPDIR=" + scratch, "HOME=" + scratch,
			// It would start containers for a cluster, and sweep away other people's, where it finds an engine.
			"DOCKER_HOST=unix://" + scratch + "/none.sock",
			"SFTP_ENABLED=0", "IOT_MTLS_ENABLED=0",
		}})
	return fmt.Sprintf("http://127.0.0.1:%d", port), err
}

func (i *Instance) startMoto() (string, error) {
	port, err := i.ports.Take()
	if err != nil {
		return "", err
	}
	_, err = i.group.Start(proc.Spec{Name: "moto", Path: i.tools.Python,
		Args: []string{"-m", "moto.server", "-H", "127.0.0.1", "-p", fmt.Sprint(port)},
		Env:  []string{"MOTO_ACCOUNT_ID=" + accountID},
	})
	return fmt.Sprintf("http://127.0.0.1:%d", port), err
}

// serveAWS opens one listener per service, because an SDK's endpoint of a service is a host and port.
func (i *Instance) serveAWS() error {
	arn, err := i.aws.Setup(i.ctx)
	if err != nil {
		return err
	}
	account := awsproxy.Account{ID: accountID}
	i.info.AWS = AWS{Region: region, AccountID: accountID, ClusterName: clusterName, ClusterARN: arn, TenantRoleARN: account.RoleARN(tenantRole)}
	if err := i.record(); err != nil {
		return err
	}
	endpoints := &i.info.AWS.Endpoints
	for service, url := range map[string]*string{
		awsproxy.EKS: &endpoints.EKS, awsproxy.SecretsManager: &endpoints.SecretsManager,
		awsproxy.IAM: &endpoints.IAM, awsproxy.STS: &endpoints.STS,
	} {
		listener, err := i.listen()
		if err != nil {
			return err
		}
		*url = "http://" + listener.Addr().String()
		go i.serving("the AWS proxy", func() error { return i.aws.Serve(service, listener) })
	}
	return nil
}

// serveControl opens the address at which tests look at calls and order faults.
func (i *Instance) serveControl() error {
	listener, err := i.listen()
	if err != nil {
		return err
	}
	i.info.ControlURL = "http://" + listener.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("/", i.aws.Control())
	mux.HandleFunc("POST /etcd/{backup}", i.handleBackup)
	mux.HandleFunc("PUT /etcd/{backup}", i.handleRestore)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go i.serving("the control server", func() error { return server.Serve(listener) })
	return nil
}

// servePodIdentity opens the webhook's HTTPS address and returns its URL.
func (i *Instance) servePodIdentity() (string, error) {
	address, host := "127.0.0.1", "127.0.0.1"
	if a := i.options.Attach; a != nil {
		address, host = a.WebhookListen, a.WebhookHost
	}
	cert, err := i.ca.servingTLS(host)
	if err != nil {
		return "", err
	}
	listener, err := i.listenOn(address)
	if err != nil {
		return "", err
	}
	server := &http.Server{
		Handler:           &podidentity.Webhook{Region: region, Lookup: i.aws.HasAssociation},
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: 10 * time.Second,
	}
	go i.serving("the Pod Identity webhook", func() error { return server.ServeTLS(listener, "", "") })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return "https://" + net.JoinHostPort(host, port) + "/mutate", err
}

// listen opens a port where whoever uses this instance reaches it, a real node's pods as well.
func (i *Instance) listen() (net.Listener, error) { return i.listenOn(i.host.String()) }

func (i *Instance) listenOn(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err == nil {
		i.listeners = append(i.listeners, listener)
	}
	return listener, err
}

// serving runs a part of this process; one that ends early ends the instance.
func (i *Instance) serving(what string, run func() error) {
	err := run()
	if i.ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
		i.fail(fmt.Errorf("%s ended: %w", what, err))
	}
}
