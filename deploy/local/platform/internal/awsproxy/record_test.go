package awsproxy

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func putSecret(key, value string) *Call {
	body, _ := json.Marshal(map[string]any{"Name": "openclaw/alice/gateway-token", "SecretString": value})
	call := &Call{Service: SecretsManager, Operation: "CreateSecret", AccessKeyID: key, method: http.MethodPost, path: "/",
		header: http.Header{"X-Amz-Target": {"secretsmanager.CreateSecret"}}, body: body}
	_ = json.Unmarshal(body, &call.fields)
	return call
}

func TestRequestsAreRecordedWithoutTheirValues(t *testing.T) {
	dir := t.TempDir()
	recorder, err := NewRecorder(dir)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{OperatorKey: "geheim-äöü", "administrator": "somebody's"} {
		call := putSecret(key, value)
		if err := recorder.value(call); err != nil {
			t.Fatal(err)
		}
		if err := recorder.request(call, &Reply{Status: 200}, "rule", true); err != nil {
			t.Fatal(err)
		}
	}
	if err := recorder.request(&Call{Service: SecretsManager, body: []byte(`{"SecretString":"cut of`)}, nil, "", false); err != nil {
		t.Fatal(err)
	}
	requests, _ := os.ReadFile(filepath.Join(dir, RequestsFile))
	text := string(requests)
	if strings.Contains(text, "geheim") || strings.Contains(text, "somebody") || strings.Contains(text, "cut of") {
		t.Errorf("a value was written: %s", text)
	}
	for _, part := range []string{`"SecretString":"AAAAAAAAAA"`, `"X-Amz-Target":"secretsmanager.CreateSecret"`, `"status":200`,
		`"fault":"rule"`, `"unreadable":true`,
		`"done":true`} {
		if !strings.Contains(text, part) {
			t.Errorf("%s is missing in %s", part, text)
		}
	}
	values, _ := os.ReadFile(filepath.Join(dir, ValuesFile))
	if string(values) != "geheim-äöü\n" {
		t.Errorf("values: %q", values)
	}
	if about, err := os.Stat(filepath.Join(dir, ValuesFile)); err != nil || about.Mode().Perm() != 0o600 {
		t.Errorf("the values' file: %v %v", about.Mode(), err)
	}
}

func TestNothingIsRecordedWhereNobodyAskedForIt(t *testing.T) {
	var none *Recorder
	call := putSecret(OperatorKey, "value")
	if none.value(call) != nil || none.request(call, nil, "", false) != nil {
		t.Error("no recorder, no error")
	}
}
