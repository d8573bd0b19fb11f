// Package podidentity stands in for the EKS Pod Identity webhook: pods whose ServiceAccount has an association get the
// variables and the token by which an AWS SDK finds its credentials, others are left as they are.
package podidentity

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

const (
	volumeName = "eks-pod-identity-token"
	mountPath  = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
	audience   = "pods.eks.amazonaws.com"
	uriName    = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
)

// Lookup says whether a ServiceAccount has an association.
type Lookup func(ctx context.Context, namespace, serviceAccount string) (bool, error)

// Webhook answers admission reviews.
type Webhook struct {
	Region string
	Lookup Lookup
}

type review struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Request    *request  `json:"request,omitempty"`
	Response   *response `json:"response,omitempty"`
}

type request struct {
	UID       string `json:"uid"`
	Namespace string `json:"namespace"`
	Object    pod    `json:"object"`
}

type response struct {
	UID       string   `json:"uid"`
	Allowed   bool     `json:"allowed"`
	Warnings  []string `json:"warnings,omitempty"`
	PatchType string   `json:"patchType,omitempty"`
	Patch     []byte   `json:"patch,omitempty"`
}

// pod is the part of a Pod that the patch hangs on.
type pod struct {
	Spec struct {
		ServiceAccountName string           `json:"serviceAccountName"`
		Volumes            []map[string]any `json:"volumes"`
		Containers         []container      `json:"containers"`
		InitContainers     []container      `json:"initContainers"`
	} `json:"spec"`
}

type container struct {
	Env []struct {
		Name string `json:"name"`
	} `json:"env"`
	VolumeMounts []map[string]any `json:"volumeMounts"`
}

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// ServeHTTP never refuses a pod: the real webhook's failurePolicy is Ignore, so a pod without its identity is something
// that an operator has to notice.
func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked review
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 8<<20)).Decode(&asked); err != nil || asked.Request == nil {
		http.Error(w, "not an AdmissionReview", http.StatusBadRequest)
		return
	}
	answer := &response{UID: asked.Request.UID, Allowed: true}
	patch, err := h.patch(r.Context(), asked.Request)
	if err != nil {
		answer.Warnings = []string{"no EKS Pod Identity credentials were injected: " + err.Error()}
	} else if len(patch) > 0 {
		answer.PatchType = "JSONPatch"
		answer.Patch, _ = json.Marshal(patch)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review{APIVersion: asked.APIVersion, Kind: asked.Kind, Response: answer})
}

func (h *Webhook) patch(ctx context.Context, asked *request) ([]operation, error) {
	spec := &asked.Object.Spec
	account := spec.ServiceAccountName
	if account == "" {
		account = "default"
	}
	found, err := h.Lookup(ctx, asked.Namespace, account)
	if err != nil || !found {
		return nil, err
	}
	var patch []operation
	patch = append(patch, addVolume(spec.Volumes)...)
	patch = append(patch, h.addToContainers("/spec/initContainers", spec.InitContainers)...)
	return append(patch, h.addToContainers("/spec/containers", spec.Containers)...), nil
}

func addVolume(volumes []map[string]any) []operation {
	if hasName(volumes, "name", volumeName) {
		return nil
	}
	token := map[string]any{"serviceAccountToken": map[string]any{
		"audience": audience, "expirationSeconds": 86400, "path": volumeName,
	}}
	volume := map[string]any{"name": volumeName, "projected": map[string]any{"sources": []any{token}}}
	return addToList("/spec/volumes", len(volumes), volume)
}

func (h *Webhook) addToContainers(path string, containers []container) []operation {
	var patch []operation
	for i, c := range containers {
		at := fmt.Sprintf("%s/%d", path, i)
		patch = append(patch, h.addEnv(at+"/env", c)...)
		if !hasName(c.VolumeMounts, "mountPath", mountPath) {
			mount := map[string]any{"name": volumeName, "mountPath": mountPath, "readOnly": true}
			patch = append(patch, addToList(at+"/volumeMounts", len(c.VolumeMounts), mount)...)
		}
	}
	return patch
}

// addEnv leaves a container alone that brings credentials of its own, and keeps any variable that is set.
func (h *Webhook) addEnv(path string, c container) []operation {
	set := map[string]bool{}
	for _, variable := range c.Env {
		set[variable.Name] = true
	}
	if set[uriName] {
		return nil
	}
	wanted := [][2]string{
		{"AWS_STS_REGIONAL_ENDPOINTS", "regional"},
		{"AWS_DEFAULT_REGION", h.Region},
		{"AWS_REGION", h.Region},
		{uriName, "http://169.254.170.23/v1/credentials"},
		{"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", mountPath + "/" + volumeName},
	}
	var patch []operation
	there := len(c.Env)
	for _, variable := range wanted {
		if set[variable[0]] {
			continue
		}
		patch = append(patch, addToList(path, there, map[string]any{"name": variable[0], "value": variable[1]})...)
		there++
	}
	return patch
}

// addToList appends to a list, which a pod does not have at all while it is empty.
func addToList(path string, length int, value any) []operation {
	if length == 0 {
		return []operation{{"add", path, []any{value}}}
	}
	return []operation{{"add", path + "/-", value}}
}

func hasName(list []map[string]any, field, name string) bool {
	for _, item := range list {
		if item[field] == name {
			return true
		}
	}
	return false
}
