// Package credentials stands in for the EKS Pod Identity agent: a pod that shows its projected token gets credentials of the role that its
// ServiceAccount is associated with, and with them the session tags that EKS gives.
package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Audience is whom a pod's token is made for.
const Audience = "pods.eks.amazonaws.com"

// Path is where a pod asks.
const Path = "/v1/credentials"

// Pod is who holds a token.
type Pod struct {
	Namespace, ServiceAccount, Name, UID string
}

// Session is what AWS knows of whoever has these credentials.
type Session struct {
	Role string            // ARN
	Tags map[string]string // aws:PrincipalTag/…
	Pod  Pod
}

// Credentials are what a pod gets, in the words of the container credentials provider of the SDKs.
type Credentials struct {
	AccessKeyID     string    `json:"AccessKeyId"`
	SecretAccessKey string    `json:"SecretAccessKey"`
	Token           string    `json:"Token"`
	AccountID       string    `json:"AccountId"`
	Expiration      time.Time `json:"Expiration"`
}

// ErrNoToken is a token that the cluster does not know, or that was made for somebody else than this agent.
var ErrNoToken = errors.New("the token is not one of this cluster's pods")

// Cluster is the EKS cluster whose pods are served.
type Cluster struct{ Name, ARN string }

// Agent answers pods.
type Agent struct {
	Cluster Cluster
	// Review says whose token it is; ErrNoToken where it is nobody's.
	Review func(ctx context.Context, token string) (Pod, error)
	// Role is the one that a ServiceAccount is associated with; empty where it is with none.
	Role func(ctx context.Context, namespace, serviceAccount string) (string, error)
	// Issue gives credentials for a session.
	Issue func(Session) Credentials
}

// ServeHTTP answers GET /v1/credentials.
func (a *Agent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.URL.Path != Path {
		http.NotFound(w, r)
		return
	}
	session, err := a.session(r.Context(), r.Header.Get("Authorization"))
	switch {
	case errors.Is(err, ErrNoToken):
		http.Error(w, "(AccessDeniedException): "+err.Error(), http.StatusForbidden)
	case err != nil:
		http.Error(w, "(InternalServerException): "+err.Error(), http.StatusInternalServerError)
	case session.Role == "":
		message := fmt.Sprintf("(ResourceNotFoundException): no association for %s/%s", session.Pod.Namespace, session.Pod.ServiceAccount)
		http.Error(w, message, http.StatusNotFound)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(a.Issue(session))
	}
}

// session says who asks, and what for. Nothing is remembered: an association that has gone gives nothing from then on.
func (a *Agent) session(ctx context.Context, token string) (Session, error) {
	if token == "" {
		return Session{}, ErrNoToken
	}
	pod, err := a.Review(ctx, token)
	if err != nil {
		return Session{}, err
	}
	role, err := a.Role(ctx, pod.Namespace, pod.ServiceAccount)
	return Session{Role: role, Tags: a.tags(pod), Pod: pod}, err
}

// tags are those that EKS adds to every session (EKS user guide, "Grant Pods access to AWS resources based on tags").
func (a *Agent) tags(pod Pod) map[string]string {
	return map[string]string{
		"eks-cluster-arn": a.Cluster.ARN, "eks-cluster-name": a.Cluster.Name,
		"kubernetes-namespace": pod.Namespace, "kubernetes-service-account": pod.ServiceAccount,
		"kubernetes-pod-name": pod.Name, "kubernetes-pod-uid": pod.UID,
	}
}
