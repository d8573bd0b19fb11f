package awsproxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// emulator answers the few calls that these tests make, as ministack would.
type emulator struct{ made []map[string]any }

func (e *emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodGet {
		_ = json.NewEncoder(w).Encode(map[string]any{"associations": e.made})
		return
	}
	var asked map[string]any
	_ = json.NewDecoder(r.Body).Decode(&asked)
	id := fmt.Sprintf("a-%d", len(e.made))
	made := map[string]any{"associationId": id, "namespace": asked["namespace"], "serviceAccount": asked["serviceAccount"], "ownerArn": ""}
	e.made = append(e.made, made)
	_ = json.NewEncoder(w).Encode(map[string]any{"association": made})
}

func startProxy(t *testing.T) (*Proxy, string) {
	t.Helper()
	upstream := httptest.NewServer(&emulator{})
	t.Cleanup(upstream.Close)
	p := New(Account{Region: "us-west-2", ID: "123456789012", Cluster: "c"}, upstream.URL, upstream.URL)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() { _ = p.Serve(EKS, listener) }()
	return p, "http://" + listener.Addr().String()
}

func create(t *testing.T, url, namespace, token string) (int, string, error) {
	t.Helper()
	body := fmt.Sprintf(`{"namespace":%q,"serviceAccount":"sa","clientRequestToken":%q}`, namespace, token)
	response, err := http.Post(url+"/clusters/c/pod-identity-associations", "application/json", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(content), nil
}

func TestReplaysATokenAndForgetsWithTheAssociation(t *testing.T) {
	p, url := startProxy(t)
	_, first, err := create(t, url, "n", "token")
	if err != nil || !strings.Contains(first, `"a-0"`) || strings.Contains(first, "ownerArn") {
		t.Fatalf("%s %v", first, err)
	}
	if _, again, _ := create(t, url, "n", "token"); again != first {
		t.Errorf("the same token got %s, first %s", again, first)
	}
	p.associations.forget("a-0")
	if _, later, _ := create(t, url, "n", "token"); !strings.Contains(later, `"a-1"`) {
		t.Errorf("after a deletion the token got %s", later)
	}
}

func TestFaults(t *testing.T) {
	p, url := startProxy(t)
	add := func(text string) {
		var rule Rule
		if err := json.Unmarshal([]byte(text), &rule); err != nil {
			t.Fatal(err)
		}
		if _, err := p.faults.add(rule); err != nil {
			t.Fatal(err)
		}
	}
	add(`{"service":"eks","operation":"CreatePodIdentityAssociation","match":"refused","when":"before","times":1,
		"action":{"status":429,"code":"ThrottlingException","message":"slow down"}}`)
	add(`{"match":"lost","when":"after","times":1,"action":"drop"}`)
	if status, body, _ := create(t, url, "refused", ""); status != 429 || !strings.Contains(body, "slow down") {
		t.Errorf("refused: %d %s", status, body)
	}
	if status, _, err := create(t, url, "refused", ""); status != 200 || err != nil {
		t.Errorf("a rule for one call hit two: %d %v", status, err)
	}
	if status, _, err := create(t, url, "lost", ""); err == nil {
		t.Errorf("lost: got an answer, %d", status)
	}
	if status, _, err := create(t, url, "other", ""); status != 200 || err != nil {
		t.Errorf("other: %d %v", status, err)
	}
	calls, _ := p.calls.since(0)
	if len(calls) != 4 || calls[0].ErrorCode != "ThrottlingException" || calls[2].Status != 0 || calls[2].Fault == "" || calls[3].Target != "other/sa" {
		t.Errorf("log: %+v", calls)
	}
	if after, last := p.calls.since(3); len(after) != 1 || last != 4 {
		t.Errorf("since(3): %d entries, last %d", len(after), last)
	}
}

func TestRefusesRulesThatCannotWork(t *testing.T) {
	for _, text := range []string{
		`{"when":"sometimes","action":"drop"}`,
		`{"when":"before","action":{}}`,
		`{"when":"before","action":{"status":400}}`,
		`{"when":"before","operation":"ListSecrets","action":"stale"}`,
		`{"when":"after","operation":"CreateSecret","action":"stale"}`,
	} {
		var rule Rule
		if err := json.Unmarshal([]byte(text), &rule); err == nil && rule.check() == nil {
			t.Errorf("accepted %s", text)
		}
	}
}

func TestPages(t *testing.T) {
	a := newAssociations()
	var items []any
	for i := range 5 {
		id := fmt.Sprint("a-", i)
		a.byID[id] = &association{ID: id, number: int64(i + 1)}
		items = append([]any{map[string]any{"associationId": id, "ownerArn": ""}}, items...)
	}
	var seen []string
	for token, rounds := "", 0; rounds < 3; rounds++ {
		after, ok := decodePageToken(token)
		if !ok {
			t.Fatalf("token %q", token)
		}
		var page []any
		page, token = a.page(items, after, 2)
		for _, raw := range page {
			seen = append(seen, raw.(map[string]any)["associationId"].(string))
		}
		if (token == "") != (rounds == 2) {
			t.Errorf("round %d ended with token %q", rounds, token)
		}
	}
	if got := strings.Join(seen, " "); got != "a-0 a-1 a-2 a-3 a-4" {
		t.Errorf("pages held %s", got)
	}
	if _, ok := decodePageToken("bm9uc2Vuc2U"); ok {
		t.Error("a foreign token was taken")
	}
}

func TestTrustPolicies(t *testing.T) {
	for document, want := range map[string]bool{
		`{"Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`: true,
		`{"Statement":{"Effect":"Allow","Principal":{"Service":["pods.eks.amazonaws.com"]},"Action":"sts:*"}}`:                             true,
		`{"Statement":{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":"sts:AssumeRole"}}`:                      false,
		`{"Statement":{"Effect":"Deny","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}}`:    false,
		`nonsense`: false,
	} {
		if trustsPods(document) != want {
			t.Errorf("%s: want %v", document, want)
		}
	}
}

func TestNamesOfSecrets(t *testing.T) {
	for id, want := range map[string]string{
		"openclaw/alice/gateway-token": "openclaw/alice/gateway-token",
		"arn:aws:secretsmanager:us-west-2:123456789012:secret:openclaw/alice/gateway-token-AbC123": "openclaw/alice/gateway-token",
	} {
		if got := secretName(id); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}

func TestErrorsSpeakTheServicesProtocol(t *testing.T) {
	for service, want := range map[string]string{
		EKS:            `{"message":"a \u003c b"}`,
		SecretsManager: `"__type":"Code"`,
		IAM:            "<Code>Code</Code><Message>a &lt; b</Message>",
	} {
		call := &Call{Service: service}
		reply := call.fail(400, "Code", "a < b")
		if !strings.Contains(string(reply.Body), want) || errorCode(service, reply) != "Code" {
			t.Errorf("%s: %s, read as %q", service, reply.Body, errorCode(service, reply))
		}
	}
}

func TestDelayEndsWithTheCaller(t *testing.T) {
	var f faults
	if _, err := f.add(Rule{When: "before", Action: Action{DelayMs: 3_600_000}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if f.apply(ctx, &Call{Service: EKS}, "before").ends() {
		t.Error("a delay alone ends no call")
	}
}

func TestASlowCallIsCarriedOutThoughItsCallerHasGone(t *testing.T) {
	p, url := startProxy(t)
	if _, err := p.faults.add(Rule{Match: "slow", When: "before", Times: 1, Action: Action{DelayMs: 300}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	body := strings.NewReader(`{"namespace":"slow","serviceAccount":"sa"}`)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/clusters/c/pod-identity-associations", body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultClient.Do(request); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the caller did not give up: %v", err)
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if calls, _ := p.calls.since(0); len(calls) == 1 {
			if calls[0].Status != http.StatusOK || p.associations.find("a-0") == nil {
				t.Errorf("log: %+v", calls)
			}
			return
		}
	}
	t.Error("the call was never carried out")
}

func TestAStaleListingHidesTheNewestOfThoseThatAreMeant(t *testing.T) {
	p, url := startProxy(t)
	for _, namespace := range []string{"mine", "other"} {
		if _, _, err := create(t, url, namespace, ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.faults.add(Rule{ID: "lag", Operation: "ListPodIdentityAssociations", Match: "mine", When: "after", Times: 1,
		Action: Action{Stale: true}}); err != nil {
		t.Fatal(err)
	}
	list := func() string {
		response, err := http.Get(url + "/clusters/c/pod-identity-associations")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		content, _ := io.ReadAll(response.Body)
		return string(content)
	}
	if shown := list(); strings.Contains(shown, "mine") || !strings.Contains(shown, "other") {
		t.Errorf("stale: %s", shown)
	}
	if shown := list(); !strings.Contains(shown, "mine") {
		t.Errorf("afterwards: %s", shown)
	}
	if calls, _ := p.calls.since(2); calls[0].Fault != "lag" || calls[1].Fault != "" {
		t.Errorf("log: %+v", calls)
	}
}

func TestAStaleListingOfIAMHidesTheNewestPolicyOfTheRole(t *testing.T) {
	shown := func(role, text string) (string, bool) {
		reply := &Reply{Status: http.StatusOK, Body: []byte("<PolicyNames>\n<member>old</member>\n<member>new</member></PolicyNames>")}
		hidden := withoutLastMember(&Call{Service: IAM, Target: role}, reply, text)
		return strings.ReplaceAll(string(reply.Body), "\n", ""), hidden
	}
	for _, c := range []struct {
		role, text, shown string
		hidden            bool
	}{
		{"alice", "alice", "<PolicyNames><member>old</member></PolicyNames>", true},
		{"alice", "old", "<PolicyNames><member>new</member></PolicyNames>", true},
		{"alice", "bob", "<PolicyNames><member>old</member><member>new</member></PolicyNames>", false},
	} {
		if got, hidden := shown(c.role, c.text); got != c.shown || hidden != c.hidden {
			t.Errorf("%+v: %s %v", c, got, hidden)
		}
	}
}
