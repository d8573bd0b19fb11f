package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"

	"openclaw.io/local/platform/internal/instance"
	"openclaw.io/local/platform/internal/kube"
)

func kubeconfig(args []string) error {
	var where place
	flags := flag.NewFlagSet("kubeconfig", flag.ContinueOnError)
	where.flags(flags)
	account := flags.String("service-account", "", "NAMESPACE/NAME of an existing ServiceAccount (required)")
	valid := flags.Duration("duration", 24*time.Hour, "how long its token is valid")
	out := flags.String("out", "", "file to write instead of standard output")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := where.resolve(); err != nil {
		return err
	}
	namespace, name, ok := strings.Cut(*account, "/")
	if !ok || namespace == "" || name == "" {
		return errors.New("--service-account must be NAMESPACE/NAME")
	}
	info, err := where.ready()
	if err != nil {
		return err
	}
	token, err := mint(info, namespace, name, *valid)
	if err != nil {
		return err
	}
	content, err := instance.Kubeconfig(info.Server, []byte(info.CA), namespace+":"+name, token, namespace)
	if err != nil {
		return err
	}
	if *out != "" {
		return os.WriteFile(*out, content, 0o600)
	}
	_, err = os.Stdout.Write(content)
	return err
}

// mint asks the API server for a token, as a pod's kubelet would.
func mint(info instance.Info, namespace, name string, valid time.Duration) (string, error) {
	config, err := clientcmd.BuildConfigFromFlags("", info.Kubeconfig)
	if err != nil {
		return "", err
	}
	client, err := kube.New(config)
	if err != nil {
		return "", err
	}
	request := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
		"metadata": map[string]any{"name": name, "namespace": namespace},
		"spec":     map[string]any{"expirationSeconds": int64(valid.Seconds())},
	}}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	made, err := client.Resource(kube.ServiceAccounts).Namespace(namespace).Create(ctx, request, metav1.CreateOptions{}, "token")
	if err != nil {
		return "", fmt.Errorf("a token for ServiceAccount %s/%s: %w", namespace, name, err)
	}
	token, _, err := unstructured.NestedString(made.Object, "status", "token")
	return token, err
}
