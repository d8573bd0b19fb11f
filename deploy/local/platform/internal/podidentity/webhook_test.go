package podidentity

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
)

const twoContainers = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","namespace":"n","object":{"spec":{
	"serviceAccountName":"sa",
	"initContainers":[{"name":"i"}],
	"containers":[{"name":"a","env":[{"name":"AWS_REGION","value":"eu-west-1"}],"volumeMounts":[{"name":"v","mountPath":"/v"}]}],
	"volumes":[{"name":"v"}]}}}}`

func ask(t *testing.T, lookup Lookup) *response {
	t.Helper()
	recorder := httptest.NewRecorder()
	hook := &Webhook{Region: "us-west-2", Lookup: lookup}
	hook.ServeHTTP(recorder, httptest.NewRequest("POST", "/", strings.NewReader(twoContainers)))
	var got review
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil || got.Response == nil {
		t.Fatalf("answer %q: %v", recorder.Body, err)
	}
	if !got.Response.Allowed || got.Response.UID != "u" {
		t.Fatalf("a pod was refused: %s", recorder.Body)
	}
	return got.Response
}

func TestInjectsIntoEveryContainer(t *testing.T) {
	got := ask(t, func(_ context.Context, namespace, account string) (bool, error) {
		return namespace == "n" && account == "sa", nil
	})
	var patch []operation
	if err := json.Unmarshal(got.Patch, &patch); err != nil {
		t.Fatal(err)
	}
	paths := map[string]int{}
	for _, op := range patch {
		paths[op.Path]++
	}
	want := map[string]int{
		"/spec/volumes/-":                     1,
		"/spec/initContainers/0/env":          1, // the first makes the list
		"/spec/initContainers/0/env/-":        4,
		"/spec/initContainers/0/volumeMounts": 1,
		"/spec/containers/0/env/-":            4, // AWS_REGION is set already
		"/spec/containers/0/volumeMounts/-":   1,
	}
	for path, n := range want {
		if paths[path] != n {
			t.Errorf("%s: %d operations, want %d", path, paths[path], n)
		}
	}
	if len(paths) != len(want) {
		t.Errorf("operations on %v, want only %v", paths, want)
	}
}

func TestLeavesOthersAlone(t *testing.T) {
	got := ask(t, func(context.Context, string, string) (bool, error) { return false, nil })
	if got.Patch != nil || got.Warnings != nil {
		t.Errorf("a pod without an association got %s %v", got.Patch, got.Warnings)
	}
	got = ask(t, func(context.Context, string, string) (bool, error) { return false, errors.New("down") })
	if got.Patch != nil || len(got.Warnings) != 1 {
		t.Errorf("a failed lookup gave %s %v", got.Patch, got.Warnings)
	}
}
