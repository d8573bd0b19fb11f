package awsproxy

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"sync"
)

// association is what the proxy knows beyond the emulator.
type association struct {
	ID, ARN, Cluster, Namespace, ServiceAccount string

	tags     map[string]string
	ownerARN string // set by a test: the association of an EKS add-on
	number   int64  // in order of creation
	token    string
}

type associations struct {
	keyed
	mu      sync.RWMutex
	byID    map[string]*association
	byToken map[string]*Reply // cluster and clientRequestToken → first answer
	last    int64
}

func newAssociations() *associations {
	return &associations{byID: map[string]*association{}, byToken: map[string]*Reply{}}
}

func (a *associations) find(id string) *association {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.byID[id]
}

func (p *Proxy) registerEKS() {
	p.mends["eks.CreatePodIdentityAssociation"] = p.createAssociation
	p.mends["eks.DescribePodIdentityAssociation"] = p.describeAssociation
	p.mends["eks.UpdatePodIdentityAssociation"] = p.updateAssociation
	p.mends["eks.DeletePodIdentityAssociation"] = p.deleteAssociation
	p.mends["eks.ListPodIdentityAssociations"] = p.listAssociations
	p.mends["eks.TagResource"] = p.tagAssociation
	p.mends["eks.UntagResource"] = p.untagAssociation
	p.mends["eks.ListTagsForResource"] = p.listAssociationTags
}

var clusterInPath = regexp.MustCompile(`^/clusters/([^/]+)/`)

func (c *Call) cluster() string {
	if found := clusterInPath.FindStringSubmatch(c.path); found != nil {
		return found[1]
	}
	return ""
}

func (p *Proxy) createAssociation(ctx context.Context, call *Call) (*Reply, error) {
	defer p.associations.lock(call.cluster() + "/" + call.Target)()
	tokenKey := call.cluster() + "/" + call.Token + "/" + call.Target + "/" + call.text("roleArn")
	if reply := p.associations.replay(call.Token, tokenKey); reply != nil {
		return reply, nil
	}
	if refusal := checkSessionPolicy(call); refusal != nil {
		return refusal, nil
	}
	if refusal := checkTags(call, stringMap(call.fields["tags"])); refusal != nil {
		return refusal, nil
	}
	if refusal, err := p.checkRole(ctx, call); refusal != nil || err != nil {
		return refusal, err
	}
	reply, err := p.forward(ctx, call)
	if err != nil {
		return nil, err
	}
	if reply.Code == "ResourceInUseException" {
		return p.nameExisting(ctx, call)
	}
	if !reply.ok() {
		return reply, nil
	}
	fields := reply.fields()
	made := p.associations.remember(call, fields)
	mendAssociation(fields, made)
	reply.setJSON("application/json", fields)
	p.associations.keepAnswer(call.Token, tokenKey, reply)
	return reply, nil
}

// replay: "clientRequestToken: A unique, case-sensitive identifier that you provide to ensure the idempotency of the
// request" (EKS API reference, CreatePodIdentityAssociation). The same request again gets the first answer.
func (a *associations) replay(token, key string) *Reply {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if token == "" {
		return nil
	}
	return a.byToken[key]
}

func (a *associations) keepAnswer(token, key string, reply *Reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if token == "" {
		return
	}
	a.byToken[key] = reply
	fields, _ := reply.fields()["association"].(map[string]any)
	if id, _ := fields["associationId"].(string); a.byID[id] != nil {
		a.byID[id].token = key
	}
}

func (a *associations) remember(call *Call, fields map[string]any) *association {
	made, _ := fields["association"].(map[string]any)
	text := func(name string) string { s, _ := made[name].(string); return s }
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	found := &association{
		ID: text("associationId"), ARN: text("associationArn"), Cluster: call.cluster(),
		Namespace: text("namespace"), ServiceAccount: text("serviceAccount"),
		tags: stringMap(call.fields["tags"]), number: a.last,
	}
	a.byID[found.ID] = found
	return found
}

// nameExisting: the message of AWS's 409 ends in the id of the association that is there already.
func (p *Proxy) nameExisting(ctx context.Context, call *Call) (*Reply, error) {
	ids, err := p.lookUp(ctx, call.cluster(), call.text("namespace"), call.text("serviceAccount"))
	if err != nil {
		return nil, err
	}
	message := "Association already exists"
	if len(ids) > 0 {
		message += ": " + ids[0]
	}
	return call.fail(http.StatusConflict, "ResourceInUseException", message), nil
}

// lookUp asks the emulator, out of sight of log and faults.
func (p *Proxy) lookUp(ctx context.Context, cluster, namespace, serviceAccount string) ([]string, error) {
	query := url.Values{"namespace": {namespace}, "serviceAccount": {serviceAccount}}
	reply, err := p.forward(ctx, p.own(EKS, http.MethodGet, "/clusters/"+cluster+"/pod-identity-associations", query, nil, nil))
	if err != nil {
		return nil, err
	}
	var list struct {
		Associations []struct {
			AssociationID string `json:"associationId"`
		} `json:"associations"`
	}
	if err := json.Unmarshal(reply.Body, &list); err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(list.Associations))
	for _, a := range list.Associations {
		ids = append(ids, a.AssociationID)
	}
	return ids, nil
}

// HasAssociation says whether pods of a ServiceAccount get an identity.
func (p *Proxy) HasAssociation(ctx context.Context, namespace, serviceAccount string) (bool, error) {
	ids, err := p.lookUp(ctx, p.account.Cluster, namespace, serviceAccount)
	return len(ids) > 0, err
}

func (p *Proxy) describeAssociation(ctx context.Context, call *Call) (*Reply, error) {
	reply, err := p.forward(ctx, call)
	if err != nil || !reply.ok() {
		return reply, err
	}
	return p.associations.mendReply(call, reply), nil
}

func (p *Proxy) updateAssociation(ctx context.Context, call *Call) (*Reply, error) {
	if refusal := checkSessionPolicy(call); refusal != nil {
		return refusal, nil
	}
	if call.text("roleArn") != "" {
		if refusal, err := p.checkRole(ctx, call); refusal != nil || err != nil {
			return refusal, err
		}
	}
	return p.describeAssociation(ctx, call)
}

func (p *Proxy) deleteAssociation(ctx context.Context, call *Call) (*Reply, error) {
	reply, err := p.describeAssociation(ctx, call)
	if err == nil && reply.ok() {
		p.associations.forget(call.associationID)
	}
	return reply, err
}

func (a *associations) forget(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if gone := a.byID[id]; gone != nil {
		delete(a.byToken, gone.token)
		delete(a.byID, id)
	}
}

func (a *associations) mendReply(call *Call, reply *Reply) *Reply {
	fields := reply.fields()
	a.mu.RLock()
	mendAssociation(fields, a.byID[call.associationID])
	a.mu.RUnlock()
	reply.setJSON("application/json", fields)
	return reply
}

// mendAssociation merges the tags, which the proxy keeps, and drops an empty ownerArn: AWS sends the member only "if
// defined" (EKS API reference, PodIdentityAssociation).
func mendAssociation(fields map[string]any, known *association) {
	shown, _ := fields["association"].(map[string]any)
	if shown == nil || known == nil {
		return
	}
	shown["tags"] = maps.Clone(known.tags)
	setOwner(shown, known)
}

func setOwner(shown map[string]any, known *association) {
	delete(shown, "ownerArn")
	if known != nil && known.ownerARN != "" {
		shown["ownerArn"] = known.ownerARN
	}
}

func stringMap(value any) map[string]string {
	fields, _ := value.(map[string]any)
	out := make(map[string]string, len(fields))
	for key, v := range fields {
		out[key], _ = v.(string)
	}
	return out
}
