package instance

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"openclaw.io/local/platform/internal/node"
)

// users are the API server's static tokens; everybody else has a ServiceAccount. The platform's own writes are under
// another name than the admin's, so that the audit log tells them apart.
var users = []struct{ key, name, groups string }{
	{"admin", "admin", "system:masters"},
	{"platform", "openclaw-local-platform", "system:masters"},
	{"kwok", "kwok", "system:masters"},
	{"controller-manager", "system:kube-controller-manager", ""},
	{"scheduler", "system:kube-scheduler", ""},
	{"kubelet", "system:node:" + node.Name, "system:nodes"},
	{"proxy", "system:kube-proxy", ""},
}

// Kubeconfig renders a kubeconfig with one user and a bearer token.
func Kubeconfig(server string, ca []byte, user, token, namespace string) ([]byte, error) {
	const name = "openclaw-local"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: user, Namespace: namespace}
	config.CurrentContext = name
	return clientcmd.Write(*config)
}

// writeUsers makes the tokens and a kubeconfig for each static user.
func (i *Instance) writeUsers() error {
	var table strings.Builder
	for _, user := range users {
		token := randomToken()
		i.tokens[user.key] = token
		fmt.Fprintf(&table, "%s,%s,%s,%q\n", token, user.name, user.name, user.groups)
		content, err := Kubeconfig(i.serverURL(), i.ca.pem, user.name, token, "")
		if err != nil {
			return err
		}
		path := i.path("pki", user.key+".kubeconfig")
		if user.key == "admin" {
			path = i.info.Kubeconfig
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(i.path("pki", "tokens.csv"), []byte(table.String()), 0o600)
}

func (i *Instance) httpClient() (*http.Client, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(i.ca.pem) {
		return nil, fmt.Errorf("the instance's own CA cannot be read")
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}, nil
}
