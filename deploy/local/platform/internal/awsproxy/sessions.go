package awsproxy

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"openclaw.io/local/platform/internal/credentials"
)

// lifetime is how long credentials of EKS Pod Identity are good for (EKS user guide, "Understand how EKS Pod Identity works").
const lifetime = 6 * time.Hour

// sessions are the credentials that pods were given. They outlive their association, as AWS's do.
type sessions struct {
	mu   sync.RWMutex
	byID map[string]session
	now  func() time.Time
}

type session struct {
	credentials.Session
	token   string
	expires time.Time
}

func newSessions() *sessions { return &sessions{byID: map[string]session{}, now: time.Now} }

// Issue gives credentials for a session: whatever is signed with them is judged by the role's policies from then on.
func (p *Proxy) Issue(of credentials.Session) credentials.Credentials {
	id := "ASIA" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random(10))
	given := credentials.Credentials{
		AccessKeyID: id, SecretAccessKey: base64.StdEncoding.EncodeToString(random(30)), Token: base64.StdEncoding.EncodeToString(random(96)),
		AccountID: p.account.ID, Expiration: p.sessions.now().Add(lifetime).UTC().Truncate(time.Second),
	}
	p.sessions.mu.Lock()
	defer p.sessions.mu.Unlock()
	p.sessions.byID[id] = session{of, given.Token, given.Expiration}
	return given
}

func random(n int) []byte {
	content := make([]byte, n)
	_, _ = rand.Read(content) // never fails: crypto/rand
	return content
}

func (s *sessions) find(accessKeyID string) (session, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found, known := s.byID[accessKeyID]
	return found, known
}

// Question is one that IAM answers: whether this role, in this session, may do this.
type Question struct {
	Principal string            `json:"principal"` // the session's ARN
	Policies  []json.RawMessage `json:"policies"`
	Action    string            `json:"action"`
	Resource  string            `json:"resource"`
	Context   map[string]string `json:"context"`
}

// Judge evaluates IAM policies; the emulators do not.
type Judge func(context.Context, Question) (allowed bool, why string, err error)

// JudgeBy sets who judges what pods ask, and the address from which all of them ask: their node's.
func (p *Proxy) JudgeBy(judge Judge, node string) { p.judge, p.node = judge, node }

// refusal is what a caller with a session's credentials is answered that may not do what it asks; nothing for everybody else.
func (p *Proxy) refusal(ctx context.Context, call *Call) (*Reply, error) {
	one, known := p.sessions.find(call.AccessKeyID)
	switch {
	case !known && (p.node == "" || call.from != p.node):
		// Of everybody but a pod any credentials are taken.
		return nil, nil
	case !known || call.header.Get("X-Amz-Security-Token") != one.token:
		return call.fail(http.StatusForbidden, "UnrecognizedClientException", "The security token included in the request is invalid."), nil
	case !one.expires.After(p.sessions.now()):
		return call.fail(http.StatusForbidden, "ExpiredTokenException", "The security token included in the request is expired."), nil
	case p.judge == nil:
		return nil, fmt.Errorf("nobody is there to judge what the session of %s may do", one.Pod.Name)
	}
	question, err := p.question(ctx, call, one)
	if err != nil {
		return nil, err
	}
	allowed, why, err := p.judge(ctx, question)
	if err != nil || allowed {
		return nil, err
	}
	// Every client error of Secrets Manager is HTTP 400.
	message := fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s because %s",
		question.Principal, question.Action, question.Resource, why)
	return call.fail(http.StatusBadRequest, "AccessDeniedException", message), nil
}

func (p *Proxy) question(ctx context.Context, call *Call, of session) (Question, error) {
	name := of.Role[strings.LastIndex(of.Role, "/")+1:]
	policies, err := p.rolePolicies(ctx, name)
	if err != nil {
		return Question{}, err
	}
	asked := Question{
		Principal: fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/eks-%s-%s", p.account.ID, name, p.account.Cluster, of.Pod.Name),
		Policies:  policies, Action: call.Service + ":" + call.Operation, Resource: "*", Context: map[string]string{"aws:PrincipalArn": of.Role},
	}
	for key, value := range of.Tags {
		asked.Context["aws:PrincipalTag/"+key] = value
	}
	if call.Service != SecretsManager || call.Target == "" {
		return asked, nil
	}
	arn, tags, err := p.describeSecret(ctx, call.Target)
	if err != nil {
		return asked, err
	}
	asked.Resource = arn
	for key, value := range tags {
		asked.Context["secretsmanager:ResourceTag/"+key] = value
		asked.Context["aws:ResourceTag/"+key] = value
	}
	return asked, nil
}

// describeSecret asks the emulator, out of sight of log and faults. One that is not there has the ARN of its name: whoever may not ask for
// it does not learn whether it is there.
func (p *Proxy) describeSecret(ctx context.Context, name string) (arn string, tags map[string]string, err error) {
	header := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"secretsmanager.DescribeSecret"}}
	body, err := json.Marshal(map[string]string{"SecretId": name})
	if err != nil {
		return "", nil, err
	}
	reply, err := p.forward(ctx, p.own(SecretsManager, http.MethodPost, "/", nil, header, body))
	if err != nil {
		return "", nil, err
	}
	arn = fmt.Sprintf("arn:aws:secretsmanager:%s:%s:secret:%s-AAAAAA", p.account.Region, p.account.ID, name)
	if reply.Code == "ResourceNotFoundException" {
		return arn, nil, nil
	}
	if !reply.ok() {
		return "", nil, fmt.Errorf("Secrets Manager answers the description of %s with %d %s", name, reply.Status, reply.Code)
	}
	var described struct {
		ARN  string
		Tags []struct{ Key, Value string }
	}
	if err := json.Unmarshal(reply.Body, &described); err != nil {
		return "", nil, fmt.Errorf("reading the description of secret %s: %w", name, err)
	}
	tags = map[string]string{}
	for _, tag := range described.Tags {
		tags[tag.Key] = tag.Value
	}
	return described.ARN, tags, nil
}
