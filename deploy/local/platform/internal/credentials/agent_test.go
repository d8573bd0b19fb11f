package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const role = "arn:aws:iam::123456789012:role/openclaw-tenant"

func agent(issued *[]Session) *Agent {
	return &Agent{
		Cluster: Cluster{Name: "local", ARN: "arn:aws:eks:us-west-2:123456789012:cluster/local"},
		Review: func(_ context.Context, token string) (Pod, error) {
			switch token {
			case "alice's":
				return Pod{"openclaw-alice", "workspace-1", "alice-0", "uid-1"}, nil
			case "bob's":
				return Pod{"openclaw-bob", "workspace-2", "bob-0", "uid-2"}, nil
			case "unknown":
				return Pod{}, ErrNoToken
			default:
				return Pod{}, errors.New("the API server does not answer")
			}
		},
		Role: func(_ context.Context, namespace, serviceAccount string) (string, error) {
			if namespace+"/"+serviceAccount == "openclaw-alice/workspace-1" {
				return role, nil
			}
			return "", nil
		},
		Issue: func(session Session) Credentials {
			*issued = append(*issued, session)
			return Credentials{AccessKeyID: "ASIA1", SecretAccessKey: "s", Token: "t", AccountID: "123456789012", Expiration: time.Unix(0, 0).UTC()}
		},
	}
}

func ask(method, path, token string) (status int, body string, issued []Session) {
	request := httptest.NewRequest(method, path, nil)
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	answer := httptest.NewRecorder()
	agent(&issued).ServeHTTP(answer, request)
	return answer.Code, answer.Body.String(), issued
}

func TestAPodGetsCredentialsOfItsRoleWithTheTagsOfItsSession(t *testing.T) {
	status, body, issued := ask(http.MethodGet, Path, "alice's")
	var got Credentials
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK || got.AccessKeyID != "ASIA1" {
		t.Fatalf("%d %s %v", status, body, err)
	}
	wanted := map[string]string{
		"eks-cluster-arn": "arn:aws:eks:us-west-2:123456789012:cluster/local", "eks-cluster-name": "local",
		"kubernetes-namespace": "openclaw-alice", "kubernetes-service-account": "workspace-1",
		"kubernetes-pod-name": "alice-0", "kubernetes-pod-uid": "uid-1",
	}
	if len(issued) != 1 || issued[0].Role != role || !maps.Equal(issued[0].Tags, wanted) {
		t.Fatalf("%+v", issued)
	}
}

func TestWhoHasNoAssociationGetsNothing(t *testing.T) {
	cases := map[string]struct {
		method, path, token string
		status              int
		says                string
	}{
		"no association":       {http.MethodGet, Path, "bob's", http.StatusNotFound, "no association for openclaw-bob/workspace-2"},
		"no token":             {http.MethodGet, Path, "", http.StatusForbidden, "not one of this cluster's pods"},
		"another's token":      {http.MethodGet, Path, "unknown", http.StatusForbidden, "not one of this cluster's pods"},
		"nobody can say whose": {http.MethodGet, Path, "x", http.StatusInternalServerError, "does not answer"},
		"another path":         {http.MethodGet, "/", "alice's", http.StatusNotFound, "not found"},
		"another method":       {http.MethodPost, Path, "alice's", http.StatusNotFound, "not found"},
	}
	for name, c := range cases {
		status, body, issued := ask(c.method, c.path, c.token)
		if status != c.status || !strings.Contains(body, c.says) || len(issued) != 0 {
			t.Errorf("%s: %d %s %+v", name, status, body, issued)
		}
	}
}

func TestATokenIsAPodsOnlyWhereTheAPIServerSaysSo(t *testing.T) {
	review := func(change func(status map[string]any)) map[string]any {
		status := map[string]any{
			"authenticated": true, "audiences": []any{Audience},
			"user": map[string]any{
				"username": "system:serviceaccount:openclaw-alice:workspace-1",
				"extra": map[string]any{
					"authentication.kubernetes.io/pod-name": []any{"alice-0"}, "authentication.kubernetes.io/pod-uid": []any{"uid-1"},
				},
			},
		}
		change(status)
		return map[string]any{"status": status}
	}
	user := func(status map[string]any) map[string]any { return status["user"].(map[string]any) }
	if pod, err := podOf(review(func(map[string]any) {})); err != nil || pod != (Pod{"openclaw-alice", "workspace-1", "alice-0", "uid-1"}) {
		t.Fatalf("%+v %v", pod, err)
	}
	for name, change := range map[string]func(map[string]any){
		"not authenticated":    func(status map[string]any) { status["authenticated"] = false },
		"for another audience": func(status map[string]any) { status["audiences"] = []any{"https://kubernetes.default.svc"} },
		"a person":             func(status map[string]any) { user(status)["username"] = "alice" },
		"bound to no pod":      func(status map[string]any) { delete(user(status), "extra") },
	} {
		if pod, err := podOf(review(change)); !errors.Is(err, ErrNoToken) {
			t.Errorf("%s: %+v %v", name, pod, err)
		}
	}
}
