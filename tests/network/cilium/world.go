package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/cilium/cilium/pkg/k8s"
	v2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	networking "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/networking/v1"
	"github.com/cilium/cilium/pkg/policy/types"
	"github.com/cilium/cilium/pkg/policy/utils"
	"sigs.k8s.io/yaml"
)

// The name that a cluster has for Cilium where nobody gives it another.
const clusterName = "default"

// A pod is what policies can know it by.
type pod struct {
	namespace       string
	namespaceLabels map[string]string
	labels          map[string]string
	account         string
}

// A class is what the operator renders for the tenants of one class.
type class struct {
	Name    string                       `json:"name"`
	Tenants map[string][]json.RawMessage `json:"tenants"`

	policies policies
	pods     map[string]pod // of tenants, by tenant
}

// policies are those of all tenants of a class.
type policies struct {
	ofKubernetes []*networking.NetworkPolicy
	ofCilium     map[string]*v2.CiliumNetworkPolicy // by name, which is the tenant's
}

// entries are the policies as Cilium's agent reads them.
func (p *policies) entries() (types.PolicyEntries, error) {
	var all types.PolicyEntries
	for _, policy := range p.ofKubernetes {
		entries, err := k8s.ParseNetworkPolicy(quiet, clusterName, policy)
		if err != nil {
			return nil, fmt.Errorf("NetworkPolicy %s/%s: %w", policy.Namespace, policy.Name, err)
		}
		all = append(all, entries...)
	}
	for _, name := range slices.Sorted(maps.Keys(p.ofCilium)) {
		// What is read is completed in place.
		rules, err := p.ofCilium[name].DeepCopy().Parse(quiet, clusterName)
		if err != nil {
			return nil, fmt.Errorf("CiliumNetworkPolicy %s: %w", name, err)
		}
		all = append(all, utils.RulesToPolicyEntries(rules)...)
	}
	return all, nil
}

// with another CiliumNetworkPolicy of one name, or without it: nil.
func (p *policies) with(name string, other *v2.CiliumNetworkPolicy) *policies {
	changed := &policies{p.ofKubernetes, maps.Clone(p.ofCilium)}
	delete(changed.ofCilium, name)
	if other != nil {
		changed.ofCilium[name] = other
	}
	return changed
}

// readClasses reads what was rendered, in the order of these names: neither more nor less.
func readClasses(path string, names []string) ([]*class, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var classes []*class
	if err := json.Unmarshal(content, &classes); err != nil {
		return nil, err
	}
	var rendered []string
	for _, class := range classes {
		rendered = append(rendered, class.Name)
		class.pods = map[string]pod{}
		class.policies.ofCilium = map[string]*v2.CiliumNetworkPolicy{}
		for tenant, objects := range class.Tenants {
			if err := class.take(tenant, objects); err != nil {
				return nil, fmt.Errorf("class %s, tenant %s: %w", class.Name, tenant, err)
			}
		}
	}
	if !slices.Equal(rendered, names) {
		return nil, fmt.Errorf("the classes are %v, not %v", rendered, names)
	}
	return classes, nil
}

// take reads a tenant's objects: its policies, and what its pod is known by.
func (c *class) take(tenant string, objects []json.RawMessage) error {
	var own pod
	for _, raw := range objects {
		var head struct {
			Kind     string `json:"kind"`
			Metadata struct {
				Name   string            `json:"name"`
				Labels map[string]string `json:"labels"`
			} `json:"metadata"`
			Spec struct {
				Template struct {
					Metadata struct {
						Labels map[string]string `json:"labels"`
					} `json:"metadata"`
					Spec struct {
						ServiceAccountName string `json:"serviceAccountName"`
					} `json:"spec"`
				} `json:"template"`
			} `json:"spec"`
		}
		if err := json.Unmarshal(raw, &head); err != nil {
			return err
		}
		switch head.Kind {
		case "Namespace":
			own.namespace, own.namespaceLabels = head.Metadata.Name, named(head.Metadata.Name, head.Metadata.Labels)
		case "StatefulSet":
			own.labels, own.account = head.Spec.Template.Metadata.Labels, head.Spec.Template.Spec.ServiceAccountName
		case "NetworkPolicy":
			policy := &networking.NetworkPolicy{}
			if err := yaml.UnmarshalStrict(raw, policy); err != nil {
				return fmt.Errorf("NetworkPolicy %s: %w", head.Metadata.Name, err)
			}
			c.policies.ofKubernetes = append(c.policies.ofKubernetes, policy)
		case "CiliumNetworkPolicy":
			policy := &v2.CiliumNetworkPolicy{}
			if err := yaml.UnmarshalStrict(raw, policy); err != nil {
				return fmt.Errorf("CiliumNetworkPolicy %s: %w", head.Metadata.Name, err)
			}
			c.policies.ofCilium[head.Metadata.Name] = policy
		}
	}
	if own.namespace == "" || len(own.labels) == 0 {
		return fmt.Errorf("no Namespace or no StatefulSet among %d objects", len(objects))
	}
	c.pods[tenant] = own
	return nil
}

// named adds the label that the API server gives to every namespace.
func named(namespace string, labels map[string]string) map[string]string {
	all := map[string]string{"kubernetes.io/metadata.name": namespace}
	maps.Copy(all, labels)
	return all
}
