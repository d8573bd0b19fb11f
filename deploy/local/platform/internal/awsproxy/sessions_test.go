package awsproxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"openclaw.io/local/platform/internal/credentials"
)

const sharedRole = "arn:aws:iam::123456789012:role/openclaw-tenant"

// roleAndSecret answers as moto does to what is asked about a role and a secret, and has values.
func roleAndSecret(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch text := string(body); {
		case strings.Contains(text, "Action=ListRolePolicies"):
			fmt.Fprint(w, "<R><ListRolePoliciesResult><PolicyNames><member>own</member></PolicyNames></ListRolePoliciesResult></R>")
		case strings.Contains(text, "Action=GetRolePolicy"):
			fmt.Fprint(w, "<R><GetRolePolicyResult><PolicyDocument>%7B%22Version%22%3A%222012-10-17%22%7D</PolicyDocument></GetRolePolicyResult></R>")
		case strings.HasSuffix(r.Header.Get("X-Amz-Target"), "DescribeSecret"):
			fmt.Fprint(w, `{"ARN":"arn:aws:secretsmanager:us-west-2:123456789012:secret:openclaw/bob/gateway-token-AbCdEf","Tags":[{"Key":"tenant-namespace","Value":"openclaw-bob"}]}`)
		default:
			fmt.Fprint(w, `{"SecretString":"bobs"}`)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

type asked struct {
	status int
	body   string
}

func get(p *Proxy, accessKeyID, token string) asked {
	return getFrom(p, "10.0.0.2", accessKeyID, token)
}

func getFrom(p *Proxy, address, accessKeyID, token string) asked {
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"SecretId":"openclaw/bob/gateway-token"}`))
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+accessKeyID+"/20250101/us-west-2/secretsmanager/aws4_request")
	request.Header.Set("X-Amz-Target", "secretsmanager.GetSecretValue")
	request.Header.Set("X-Amz-Security-Token", token)
	request.RemoteAddr = address + ":1234"
	answer := httptest.NewRecorder()
	p.handle(SecretsManager, answer, request)
	return asked{answer.Code, answer.Body.String()}
}

func proxied(t *testing.T, judge Judge) *Proxy {
	t.Helper()
	server := roleAndSecret(t)
	p := New(Account{Region: "us-west-2", ID: "123456789012", Cluster: "local"}, server.URL, server.URL)
	p.JudgeBy(judge, "10.0.0.2")
	return p
}

func TestWhatASessionAsksIsJudgedByItsRolesPoliciesWithItsTagsAndTheSecrets(t *testing.T) {
	var question Question
	p := proxied(t, func(_ context.Context, asked Question) (bool, string, error) {
		question = asked
		return false, "no policy allows it", nil
	})
	given := p.Issue(credentials.Session{
		Role: sharedRole, Pod: credentials.Pod{Name: "alice-0"}, Tags: map[string]string{"kubernetes-namespace": "openclaw-alice"},
	})
	answer := get(p, given.AccessKeyID, given.Token)
	if answer.status != http.StatusBadRequest || !strings.Contains(answer.body, "AccessDeniedException") {
		t.Fatalf("%+v", answer)
	}
	wanted := map[string]string{
		"aws:PrincipalArn": sharedRole, "aws:PrincipalTag/kubernetes-namespace": "openclaw-alice",
		"secretsmanager:ResourceTag/tenant-namespace": "openclaw-bob", "aws:ResourceTag/tenant-namespace": "openclaw-bob",
	}
	if question.Action != "secretsmanager:GetSecretValue" || !strings.HasSuffix(question.Resource, ":secret:openclaw/bob/gateway-token-AbCdEf") ||
		question.Principal != "arn:aws:sts::123456789012:assumed-role/openclaw-tenant/eks-local-alice-0" || !maps.Equal(question.Context, wanted) {
		t.Fatalf("%+v", question)
	}
	if len(question.Policies) != 1 || string(question.Policies[0]) != `{"Version":"2012-10-17"}` {
		t.Fatalf("%s", question.Policies)
	}
}

func TestOnlyWhoIsAllowedGetsAValue(t *testing.T) {
	says := func(allowed bool, err error) Judge {
		return func(context.Context, Question) (bool, string, error) { return allowed, "", err }
	}
	issue := func(p *Proxy) credentials.Credentials { return p.Issue(credentials.Session{Role: sharedRole}) }
	allowed := proxied(t, says(true, nil))
	given := issue(allowed)
	if answer := get(allowed, given.AccessKeyID, given.Token); answer.status != http.StatusOK || !strings.Contains(answer.body, "bobs") {
		t.Errorf("allowed: %+v", answer)
	}
	for _, anybody := range []string{"operator", "ASIAOFSOMEBODYELSE"} {
		if answer := getFrom(allowed, "127.0.0.1", anybody, ""); answer.status != http.StatusOK {
			t.Errorf("no pod: %+v", answer)
		}
	}
	for name, answer := range map[string]asked{
		"a token of another session": get(allowed, given.AccessKeyID, issue(allowed).Token),
		"a session that nobody has":  get(allowed, "ASIAUNKNOWN", given.Token),
		"a pod with another's key":   get(allowed, "operator", ""),
		"what a judge cannot judge": func() asked {
			p := proxied(t, says(true, errors.New("strange")))
			g := issue(p)
			return get(p, g.AccessKeyID, g.Token)
		}(),
		"a session without any judges": func() asked { p := proxied(t, nil); g := issue(p); return get(p, g.AccessKeyID, g.Token) }(),
	} {
		if answer.status == http.StatusOK || strings.Contains(answer.body, "bobs") {
			t.Errorf("%s: %+v", name, answer)
		}
	}
	allowed.sessions.now = func() time.Time { return time.Now().Add(lifetime) }
	if answer := get(allowed, given.AccessKeyID, given.Token); !strings.Contains(answer.body, "ExpiredToken") {
		t.Errorf("expired: %+v", answer)
	}
}

func TestEachQuestionGetsItsOwnAnswerAndNoneOnceTheJudgeHasGone(t *testing.T) {
	questions, asks := io.Pipe()
	answers, says := io.Pipe()
	bench := NewBench(asks, answers)
	go func() {
		lines := json.NewDecoder(questions)
		var pending []int
		for {
			var one struct {
				ID     int
				Action string
			}
			if lines.Decode(&one) != nil {
				return
			}
			if pending = append(pending, one.ID); len(pending) < 2 {
				continue
			}
			fmt.Fprintf(says, "a warning of a library\n{\"id\":%d,\"allowed\":true}\n{\"id\":%d,\"allowed\":false,\"why\":\"so\"}\n", pending[1], pending[0])
			says.Close()
		}
	}()
	first := make(chan string)
	go func() {
		allowed, why, err := bench.Judge(context.Background(), Question{Action: "one"})
		first <- fmt.Sprint(allowed, why, err)
	}()
	for {
		bench.mu.Lock()
		isAsked := bench.last == 1
		bench.mu.Unlock()
		if isAsked {
			break
		}
		time.Sleep(time.Millisecond)
	}
	allowed, _, err := bench.Judge(context.Background(), Question{Action: "two"})
	if !allowed || err != nil {
		t.Errorf("%v %v", allowed, err)
	}
	if said := <-first; said != "falseso<nil>" {
		t.Error(said)
	}
	if _, _, err := bench.Judge(context.Background(), Question{Action: "three"}); err == nil {
		t.Error("nobody is there to answer")
	}
}
