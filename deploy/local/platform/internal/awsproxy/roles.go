package awsproxy

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
)

// rolePolicies are the inline policies of a role, as they stand in the emulator now.
func (p *Proxy) rolePolicies(ctx context.Context, role string) ([]json.RawMessage, error) {
	var listed struct {
		Names []string `xml:"ListRolePoliciesResult>PolicyNames>member"`
	}
	if err := p.askIAM(ctx, url.Values{"Action": {"ListRolePolicies"}, "RoleName": {role}}, &listed); err != nil {
		return nil, err
	}
	var policies []json.RawMessage
	for _, name := range listed.Names {
		var one struct {
			Document string `xml:"GetRolePolicyResult>PolicyDocument"`
		}
		if err := p.askIAM(ctx, url.Values{"Action": {"GetRolePolicy"}, "RoleName": {role}, "PolicyName": {name}}, &one); err != nil {
			return nil, err
		}
		document, err := url.QueryUnescape(one.Document)
		if err != nil {
			return nil, fmt.Errorf("policy %s of role %s: %w", name, role, err)
		}
		policies = append(policies, json.RawMessage(document))
	}
	return policies, nil
}

func (p *Proxy) askIAM(ctx context.Context, form url.Values, into any) error {
	reply, err := p.forward(ctx, p.ownIAM(form))
	if err != nil {
		return err
	}
	if !reply.ok() {
		return fmt.Errorf("IAM answers %s of role %s with %d %s", form.Get("Action"), form.Get("RoleName"), reply.Status, reply.Code)
	}
	return xml.Unmarshal(reply.Body, into)
}

// AssociatedRole is the ARN of the role that a ServiceAccount is associated with; empty where it is with none.
func (p *Proxy) AssociatedRole(ctx context.Context, namespace, serviceAccount string) (string, error) {
	ids, err := p.lookUp(ctx, p.account.Cluster, namespace, serviceAccount)
	if err != nil || len(ids) == 0 {
		return "", err
	}
	path := "/clusters/" + p.account.Cluster + "/pod-identity-associations/" + ids[0]
	reply, err := p.forward(ctx, p.own(EKS, http.MethodGet, path, nil, nil, nil))
	if err != nil {
		return "", err
	}
	if !reply.ok() && reply.Status != http.StatusNotFound {
		return "", fmt.Errorf("EKS answers the description of %s with %d %s", ids[0], reply.Status, reply.Code)
	}
	var described struct {
		Association struct {
			RoleARN string `json:"roleArn"`
		} `json:"association"`
	}
	return described.Association.RoleARN, json.Unmarshal(reply.Body, &described)
}
