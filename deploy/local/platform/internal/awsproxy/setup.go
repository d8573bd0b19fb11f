package awsproxy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// Setup makes what stands in the account before anybody uses it: the EKS cluster and the role that tenants share. It
// returns the cluster's ARN.
func (p *Proxy) Setup(ctx context.Context) (clusterARN string, err error) {
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},` +
		`"Action":["sts:AssumeRole","sts:TagSession"]}]}`
	if err := p.createRole(ctx, p.account.TenantRole, trust); err != nil {
		return "", err
	}
	return p.createCluster(ctx)
}

func (p *Proxy) createRole(ctx context.Context, name, trust string) error {
	form := url.Values{"Action": {"CreateRole"}, "RoleName": {name}, "AssumeRolePolicyDocument": {trust},
		"Description": {"Shared by all tenants; what a session may do hangs on its tags"}}
	reply, err := p.forward(ctx, p.ownIAM(form))
	if err != nil {
		return err
	}
	if !reply.ok() {
		return fmt.Errorf("creating the role %s: %s", name, reply.Body)
	}
	return nil
}

func (p *Proxy) createCluster(ctx context.Context) (string, error) {
	body, err := json.Marshal(map[string]any{
		"name": p.account.Cluster, "roleArn": p.account.RoleARN("openclaw-local-cluster"), "version": "1.35",
		"resourcesVpcConfig": map[string]any{"subnetIds": []string{"subnet-1", "subnet-2"}},
	})
	if err != nil {
		return "", err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	reply, err := p.forward(ctx, p.own(EKS, http.MethodPost, "/clusters", nil, header, body))
	if err != nil {
		return "", err
	}
	var made struct{ Cluster struct{ Arn string } }
	if err := json.Unmarshal(reply.Body, &made); err != nil || made.Cluster.Arn == "" {
		return "", fmt.Errorf("creating the EKS cluster: %d %s", reply.Status, reply.Body)
	}
	return made.Cluster.Arn, nil
}
