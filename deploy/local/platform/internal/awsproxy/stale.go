package awsproxy

import (
	"encoding/json"
	"regexp"
	"strings"
)

// hide carries the "stale" rules out: a listing does not show its newest item yet, of those that a rule's match occurs in,
// as an eventually consistent service may answer for a while. It returns the rules that hid something.
func (f *faults) hide(p *Proxy, call *Call, reply *Reply) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var by []string
	for _, rule := range f.rules {
		if rule.Action.Stale && rule.hits(call, "after") && p.withoutNewest(call, reply, rule.Match) {
			rule.Hits++
			by = append(by, rule.ID)
		}
	}
	return strings.Join(by, " ")
}

// withoutNewest takes the newest item that text occurs in out of a listing, and says whether there was one.
func (p *Proxy) withoutNewest(call *Call, reply *Reply, text string) bool {
	if reply == nil || !reply.ok() {
		return false
	}
	if call.Service == IAM {
		return withoutLastMember(call, reply, text)
	}
	fields := reply.fields()
	for _, list := range []struct {
		field string
		age   func(map[string]any) float64
	}{
		{"associations", p.associationAge},
		{"SecretList", creationDate},
	} {
		items, ok := fields[list.field].([]any)
		if !ok {
			continue
		}
		newest, at := -1, -1.0
		for i, raw := range items {
			item, _ := raw.(map[string]any)
			if age := list.age(item); age >= at && mentions(item, text) {
				newest, at = i, age
			}
		}
		if newest < 0 {
			return false
		}
		fields[list.field] = append(items[:newest:newest], items[newest+1:]...)
		reply.setJSON(reply.Header.Get("Content-Type"), fields)
		return true
	}
	return false
}

var member = regexp.MustCompile(`(?s)<member>.*?</member>`)

// withoutLastMember does the same for IAM, whose listings are in the order in which things were made. What is inside of a
// role may have the same name in every role, so text may also be the role's.
func withoutLastMember(call *Call, reply *Reply, text string) bool {
	all := member.FindAllIndex(reply.Body, -1)
	for i := len(all) - 1; i >= 0; i-- {
		begin, end := all[i][0], all[i][1]
		if strings.Contains(call.Target, text) || strings.Contains(string(reply.Body[begin:end]), text) {
			reply.Body = append(reply.Body[:begin:begin], reply.Body[end:]...)
			return true
		}
	}
	return false
}

func mentions(item map[string]any, text string) bool {
	content, _ := json.Marshal(item)
	return strings.Contains(string(content), text)
}

func (p *Proxy) associationAge(item map[string]any) float64 {
	id, _ := item["associationId"].(string)
	if known := p.associations.find(id); known != nil {
		return float64(known.number)
	}
	return 0
}

func creationDate(item map[string]any) float64 {
	if number, ok := item["CreatedDate"].(interface{ Float64() (float64, error) }); ok {
		at, _ := number.Float64()
		return at
	}
	return 0
}
