package awsproxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Rule says what goes wrong with which calls.
type Rule struct {
	ID        string `json:"id"`
	Service   string `json:"service,omitempty"`     // empty or "*": any
	Operation string `json:"operation,omitempty"`   // empty or "*": any
	Match     string `json:"match,omitempty"`       // must occur in path, query, target or body; of "stale", in what is hidden or in the name of its role
	Caller    string `json:"accessKeyId,omitempty"` // empty or "*": anybody
	When      string `json:"when"`                  // "before" (AWS never saw it) or "after" (AWS carried it out)
	Action    Action `json:"action"`
	Times     int    `json:"times"` // 0: for ever
	Hits      int    `json:"hits"`
}

// Action is {"status", "code", "message"}, {"delayMs"}, "drop" or "stale".
type Action struct {
	Drop    bool
	Stale   bool
	DelayMs int
	Status  int
	Code    string
	Message string
}

type actionFields struct {
	DelayMs int    `json:"delayMs,omitempty"`
	Status  int    `json:"status,omitempty"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// UnmarshalJSON reads any of the forms.
func (a *Action) UnmarshalJSON(content []byte) error {
	var word string
	if json.Unmarshal(content, &word) == nil {
		*a = Action{Drop: word == "drop", Stale: word == "stale"}
		if !a.Drop && !a.Stale {
			return fmt.Errorf("action %q is neither drop nor stale", word)
		}
		return nil
	}
	var fields actionFields
	if err := json.Unmarshal(content, &fields); err != nil {
		return err
	}
	*a = Action{DelayMs: fields.DelayMs, Status: fields.Status, Code: fields.Code, Message: fields.Message}
	return nil
}

// MarshalJSON writes the form that UnmarshalJSON reads.
func (a Action) MarshalJSON() ([]byte, error) {
	switch {
	case a.Drop:
		return []byte(`"drop"`), nil
	case a.Stale:
		return []byte(`"stale"`), nil
	}
	return json.Marshal(actionFields{a.DelayMs, a.Status, a.Code, a.Message})
}

func (r *Rule) check() error {
	a := r.Action
	switch {
	case r.When != "before" && r.When != "after":
		return errors.New(`when must be "before" or "after"`)
	case a.Stale && (r.When != "after" || !strings.HasPrefix(r.Operation, "List")):
		return errors.New(`"stale" is for List operations and when: "after"`)
	case !a.Drop && !a.Stale && a.DelayMs <= 0 && (a.Status < 300 || a.Code == ""):
		return errors.New(`action must be "drop", "stale", {"delayMs": n} or {"status": 4xx or 5xx, "code": "…", "message": "…"}`)
	case r.Times < 0:
		return errors.New("times must be 0 (for ever) or more")
	}
	return nil
}

func (r *Rule) hits(call *Call, when string) bool {
	anyOr := func(rule, value string) bool { return rule == "" || rule == "*" || rule == value }
	return r.When == when && (r.Times == 0 || r.Hits < r.Times) && anyOr(r.Service, call.Service) &&
		anyOr(r.Operation, call.Operation) && anyOr(r.Caller, call.AccessKeyID) && (r.Action.Stale || strings.Contains(call.haystack(), r.Match))
}

type faults struct {
	mu    sync.Mutex
	rules []*Rule
	last  int
}

func (f *faults) add(rule Rule) (Rule, error) {
	if err := rule.check(); err != nil {
		return rule, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if rule.ID == "" {
		f.last++
		rule.ID = fmt.Sprintf("fault-%d", f.last)
	}
	if slices.ContainsFunc(f.rules, func(r *Rule) bool { return r.ID == rule.ID }) {
		return rule, fmt.Errorf("there is a rule %s already", rule.ID)
	}
	rule.Hits = 0
	f.rules = append(f.rules, &rule)
	return rule, nil
}

func (f *faults) list() []Rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Rule, 0, len(f.rules))
	for _, rule := range f.rules {
		out = append(out, *rule)
	}
	return out
}

// remove takes away one rule, or with an empty id all; it says how many.
func (f *faults) remove(id string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.rules)
	f.rules = slices.DeleteFunc(f.rules, func(r *Rule) bool { return id == "" || r.ID == id })
	return before - len(f.rules)
}

// outcome is what the rules do to one call at one moment.
type outcome struct {
	action *Action // the one that ends the call, if any
	rule   string
}

func (o outcome) ends() bool { return o.action != nil }

// reply is nil where the connection is to be dropped.
func (o outcome) reply(call *Call) *Reply {
	if o.action.Drop {
		return nil
	}
	return call.fail(o.action.Status, o.action.Code, o.action.Message)
}

// apply takes the first rule that ends the call; delays before it are waited out, outside the lock.
func (f *faults) apply(ctx context.Context, call *Call, when string) outcome {
	result, delay := f.take(call, when)
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return result
}

func (f *faults) take(call *Call, when string) (result outcome, delay time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, rule := range f.rules {
		if rule.Action.Stale || !rule.hits(call, when) {
			continue
		}
		rule.Hits++
		result.rule = strings.Trim(result.rule+" "+rule.ID, " ")
		switch {
		case rule.Action.DelayMs > 0 && rule.Action.Status == 0:
			delay += time.Duration(rule.Action.DelayMs) * time.Millisecond
		default:
			action := rule.Action
			result.action = &action
			return result, delay + time.Duration(action.DelayMs)*time.Millisecond
		}
	}
	return result, delay
}
