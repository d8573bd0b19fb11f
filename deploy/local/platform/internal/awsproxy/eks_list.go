package awsproxy

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
)

const largestPage = 100

// listAssociations pages: maxResults is 1 to 100 and the rest comes with nextToken (EKS API reference,
// ListPodIdentityAssociations). The emulator cuts after maxResults and gives no token, so it is asked for everything.
func (p *Proxy) listAssociations(ctx context.Context, call *Call) (*Reply, error) {
	size := largestPage
	if text := call.query.Get("maxResults"); text != "" {
		var err error
		if size, err = strconv.Atoi(text); err != nil || size < 1 || size > largestPage {
			return invalidParameter(call, "maxResults must be between 1 and 100"), nil
		}
	}
	after, ok := decodePageToken(call.query.Get("nextToken"))
	if !ok {
		return invalidParameter(call, "nextToken is not one of ours"), nil
	}
	all := *call
	all.query = url.Values{"maxResults": {"1000000"}}
	for _, filter := range []string{"namespace", "serviceAccount"} {
		if call.query.Has(filter) {
			all.query.Set(filter, call.query.Get(filter))
		}
	}
	reply, err := p.forward(ctx, &all)
	if err != nil || !reply.ok() {
		return reply, err
	}
	items, _ := reply.fields()["associations"].([]any)
	page, next := p.associations.page(items, after, size)
	fields := map[string]any{"associations": page}
	if next != "" {
		fields["nextToken"] = next
	}
	return call.succeed(fields), nil
}

// page returns the items after a number of creation, oldest first, and the token for what follows.
func (a *associations) page(items []any, after int64, size int) ([]any, string) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	type numbered struct {
		number int64
		item   map[string]any
	}
	rest := make([]numbered, 0, len(items))
	for _, raw := range items {
		item, _ := raw.(map[string]any)
		id, _ := item["associationId"].(string)
		known := a.byID[id]
		setOwner(item, known)
		if known != nil && known.number > after {
			rest = append(rest, numbered{known.number, item})
		}
	}
	slices.SortFunc(rest, func(x, y numbered) int { return cmp.Compare(x.number, y.number) })
	page := make([]any, 0, min(size, len(rest)))
	for _, n := range rest[:min(size, len(rest))] {
		page = append(page, n.item)
	}
	if len(rest) <= size {
		return page, ""
	}
	return page, encodePageToken(rest[size-1].number)
}

func encodePageToken(after int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte("after:" + strconv.FormatInt(after, 10)))
}

func decodePageToken(token string) (int64, bool) {
	if token == "" {
		return 0, true
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(text) < 7 || string(text[:6]) != "after:" {
		return 0, false
	}
	after, err := strconv.ParseInt(string(text[6:]), 10, 64)
	return after, err == nil
}
