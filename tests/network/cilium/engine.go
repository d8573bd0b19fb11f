package main

import (
	"fmt"
	"log/slog"
	"strconv"

	"github.com/cilium/cilium/pkg/endpoint/regeneration"
	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/identity/identitymanager"
	"github.com/cilium/cilium/pkg/option"
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/policy/api"
	"github.com/cilium/cilium/pkg/policy/types"
	testpolicy "github.com/cilium/cilium/pkg/testutils/policy"
	"github.com/cilium/cilium/pkg/u8proto"
)

// The proxy's port where there is a proxy: any will do.
const proxyPort = 10001

var quiet = slog.New(slog.DiscardHandler)

func init() {
	option.Config.EnableIPv4 = true
	option.Config.EnableIPv6 = true
	option.Config.ClusterName = clusterName
}

// An engine is Cilium's policy engine with one set of policies, and everybody who stands in the table known to it by the labels
// that Cilium's agent gives them under these policies.
type engine struct {
	repository *policy.Repository
	manager    identitymanager.IDManager
	known      map[end][2]*identity.Identity
	resolved   map[identity.NumericIdentity]*resolved
	names      []string
}

// resolved is what the policies come to for one pod.
type resolved struct {
	selectors policy.SelectorPolicy
	entries   *policy.EndpointPolicy
}

func newEngine(policies *policies, ends []end, w *world, c *class) (*engine, error) {
	entries, err := policies.entries()
	if err != nil {
		return nil, err
	}
	labeller, err := newLabeller(entries)
	if err != nil {
		return nil, err
	}
	e := &engine{known: map[end][2]*identity.Identity{}, resolved: map[identity.NumericIdentity]*resolved{}}
	all := identity.IdentityMap{}
	for _, end := range ends {
		var both [2]*identity.Identity
		for family := range both {
			if one := labeller.identity(end, family, w, c); one != nil {
				all[one.ID], both[family] = one.LabelArray, one
			}
		}
		e.known[end] = both
		if end.name != "" {
			e.names = append(e.names, end.name)
		}
	}
	e.manager = identitymanager.NewIDManager(quiet)
	e.repository = policy.NewPolicyRepository(quiet, all, nil, nil, e.manager, testpolicy.NewPolicyMetricsNoop())
	e.manager.Subscribe(testpolicy.SelectorCacheObserver{Cache: e.repository.GetSubjectSelectorCache()})
	for _, both := range e.known {
		for _, one := range both {
			if one != nil {
				e.manager.Add(one)
			}
		}
	}
	e.repository.MustAddPolicyEntries(entries)
	return e, nil
}

// judge says what becomes of the row's connection over IPv4 and over IPv6.
func (e *engine) judge(r row) (string, error) {
	signs := ""
	for family := range 2 {
		from, to := e.known[r.sender][family], e.known[r.receiver][family]
		if from == nil || to == nil {
			signs += "-"
			continue
		}
		sign, err := e.sign(from, to, r)
		if err != nil {
			return "", fmt.Errorf("%s: %w", r.connection(), err)
		}
		signs += sign
	}
	return signs, nil
}

func (e *engine) sign(from, to *identity.Identity, r row) (string, error) {
	sending, err := e.of(from)
	if err != nil {
		return "", err
	}
	receiving, err := e.of(to)
	if err != nil {
		return "", err
	}
	leaves, _, _ := sending.entries.Lookup(policy.EgressKey().WithIdentity(to.ID).WithPortProto(r.protocol, r.port))
	enters, _, _ := receiving.entries.Lookup(policy.IngressKey().WithIdentity(from.ID).WithPortProto(r.protocol, r.port))
	switch {
	case leaves.IsDeny() && enters.IsDeny():
		return "b", nil
	case leaves.IsDeny():
		return "e", nil
	case enters.IsDeny():
		return "i", nil
	case leaves.IsRedirectEntry():
		return e.throughProxy(sending, to, r)
	default:
		return "y", nil
	}
}

// of resolves the policies for one end, once.
func (e *engine) of(who *identity.Identity) (*resolved, error) {
	if known := e.resolved[who.ID]; known != nil {
		return known, nil
	}
	selectors, _, err := e.repository.ComputeSelectorPolicy(who)
	if err != nil {
		return nil, err
	}
	entries := selectors.DistillPolicy(quiet, owner(who.ID), map[string]uint16{policy.FallbackRedirectID: proxyPort})
	if err := entries.Ready(); err != nil {
		return nil, err
	}
	entries.Detach(quiet)
	e.resolved[who.ID] = &resolved{selectors, entries}
	return e.resolved[who.ID], nil
}

// throughProxy says whether it is the DNS proxy, and whether that one lets every name of the table be asked for.
func (e *engine) throughProxy(sending *resolved, to *identity.Identity, r row) (string, error) {
	var rules []api.PortRuleDNS
	for filter, of := range sending.selectors.RedirectFilters() {
		if filter.Ingress || filter.U8Proto != r.protocol || filter.Port != r.port || !of.Selector.Selects(to.ID) {
			continue
		}
		if of.Policy.L7Parser != policy.ParserTypeDNS || of.Policy.L7Rules.DNS == nil {
			return "", fmt.Errorf("redirected to a proxy of type %q", of.Policy.L7Parser)
		}
		rules = append(rules, of.Policy.L7Rules.DNS...)
	}
	for _, name := range e.names {
		if isAnswered, err := matches(rules, name); err != nil || !isAnswered {
			return "f", err
		}
	}
	return "p", nil
}

func matches(rules []api.PortRuleDNS, name string) (bool, error) {
	for _, rule := range rules {
		selector := api.FQDNSelector(rule)
		pattern, err := selector.ToRegex()
		if err != nil {
			return false, err
		}
		if pattern.MatchString(absolute(name)) {
			return true, nil
		}
	}
	return false, nil
}

// agrees asks Cilium's own lookup of flows, which knows nothing of proxies, whether the signs are right.
func (e *engine) agrees(r row, signs string) error {
	for family := range 2 {
		from, to := e.known[r.sender][family], e.known[r.receiver][family]
		if from == nil || to == nil {
			continue
		}
		flow := types.Flow{From: from, To: to, Proto: r.protocol, Dport: r.port}
		verdict, _, _, err := policy.LookupFlow(quiet, e.repository, e.manager, flow)
		if err != nil {
			return err
		}
		sign := signs[family]
		isOut := sign != 'e' && sign != 'b'
		isIn := sign != 'i' && sign != 'b'
		if (verdict.Egress == types.DecisionAllowed) != isOut || (verdict.Ingress == types.DecisionAllowed) != isIn {
			return fmt.Errorf("LookupFlow says %s of %s %s", verdict, r.connection(), strconv.QuoteRune(rune(sign)))
		}
	}
	return nil
}

// An owner is an endpoint without named ports.
type owner uint64

var _ policy.PolicyOwner = owner(0)

func (o owner) GetID() uint64                                      { return uint64(o) }
func (o owner) GetIngressNamedPort(string, u8proto.U8proto) uint16 { return 0 }
func (o owner) PolicyDebug(string, ...any)                         {}
func (o owner) IsHost() bool                                       { return false }
func (o owner) PreviousMapStateSizes() policy.MapStateSizes        { return policy.MapStateSizes{} }
func (o owner) RegenerateIfAlive(*regeneration.ExternalRegenerationMetadata) <-chan bool {
	done := make(chan bool)
	close(done)
	return done
}
