package awsproxy

// withoutNewest is the "stale" fault: a listing that does not show its newest item yet, as an eventually consistent
// service may answer for a while.
func (p *Proxy) withoutNewest(call *Call, reply *Reply) *Reply {
	if reply == nil || !reply.ok() {
		return reply
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
		if !ok || len(items) == 0 {
			continue
		}
		newest, at := 0, -1.0
		for i, raw := range items {
			item, _ := raw.(map[string]any)
			if age := list.age(item); age >= at {
				newest, at = i, age
			}
		}
		fields[list.field] = append(items[:newest:newest], items[newest+1:]...)
	}
	reply.setJSON(reply.Header.Get("Content-Type"), fields)
	return reply
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
