package credentials

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"openclaw.io/local/platform/internal/kube"
)

// Reviewer asks the API server whose a token is.
func Reviewer(client *kube.Client) func(context.Context, string) (Pod, error) {
	return func(ctx context.Context, token string) (Pod, error) {
		asked := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
			"spec": map[string]any{"token": token, "audiences": []any{Audience}},
		}}
		answer, err := client.Resource(kube.TokenReviews).Create(ctx, asked, metav1.CreateOptions{})
		if err != nil {
			return Pod{}, fmt.Errorf("asking the API server whose token it is: %w", err)
		}
		return podOf(answer.Object)
	}
}

// podOf reads a TokenReview's answer. A token that no pod is bound to, such as one that kubectl has made, is no pod's.
func podOf(review map[string]any) (Pod, error) {
	authenticated, _, _ := unstructured.NestedBool(review, "status", "authenticated")
	audiences, _, _ := unstructured.NestedStringSlice(review, "status", "audiences")
	user, _, _ := unstructured.NestedString(review, "status", "user", "username")
	account, isAccount := strings.CutPrefix(user, "system:serviceaccount:")
	namespace, name, isNamed := strings.Cut(account, ":")
	extra := func(key string) string {
		values, _, _ := unstructured.NestedStringSlice(review, "status", "user", "extra", "authentication.kubernetes.io/"+key)
		if len(values) != 1 {
			return ""
		}
		return values[0]
	}
	pod := Pod{Namespace: namespace, ServiceAccount: name, Name: extra("pod-name"), UID: extra("pod-uid")}
	if !authenticated || !slices.Contains(audiences, Audience) || !isAccount || !isNamed || pod.Name == "" || pod.UID == "" {
		return Pod{}, ErrNoToken
	}
	return pod, nil
}
