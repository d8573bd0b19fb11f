package awsproxy

import (
	"context"
	"maps"
	"net/http"
)

// The tagging calls take an association's ARN (EKS API reference, TagResource: "resourceArn: The Amazon Resource Name of
// the resource to add tags to", which the user guide lists associations among). The emulator refuses it; the proxy keeps
// associations' tags itself.

func (p *Proxy) tagAssociation(ctx context.Context, call *Call) (*Reply, error) {
	if call.associationID == "" {
		return p.forward(ctx, call)
	}
	added := stringMap(call.fields["tags"])
	return p.associations.change(call, func(tags map[string]string) *Reply {
		merged := maps.Clone(tags)
		maps.Copy(merged, added)
		if refusal := checkTags(call, merged); refusal != nil {
			return refusal
		}
		maps.Copy(tags, added)
		return nil
	}), nil
}

func (p *Proxy) untagAssociation(ctx context.Context, call *Call) (*Reply, error) {
	if call.associationID == "" {
		return p.forward(ctx, call)
	}
	return p.associations.change(call, func(tags map[string]string) *Reply {
		for _, key := range call.query["tagKeys"] {
			delete(tags, key)
		}
		return nil
	}), nil
}

func (p *Proxy) listAssociationTags(ctx context.Context, call *Call) (*Reply, error) {
	if call.associationID == "" {
		return p.forward(ctx, call)
	}
	var shown map[string]string
	refusal := p.associations.change(call, func(tags map[string]string) *Reply {
		shown = maps.Clone(tags)
		return nil
	})
	if !refusal.ok() {
		return refusal, nil
	}
	return call.succeed(map[string]any{"tags": shown}), nil
}

// change lets edit see, and change, the tags of the call's association.
func (a *associations) change(call *Call, edit func(tags map[string]string) *Reply) *Reply {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.byID[call.associationID]
	if known == nil {
		return call.fail(http.StatusNotFound, "NotFoundException", "The resource was not found: "+call.associationID)
	}
	if refusal := edit(known.tags); refusal != nil {
		return refusal
	}
	return call.succeed(map[string]any{})
}
