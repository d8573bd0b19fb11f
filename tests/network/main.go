// Judges NetworkPolicies that the operator rendered for two tenants by cyclonus, and compares what may be reached with a table
// that was written by hand. Then it shows that the table notices each part that is left out of a policy, and what is added.
//
//	go run . RENDERED
package main

import (
	_ "embed"
	"fmt"
	"os"
	"slices"
	"strings"

	networking "k8s.io/api/networking/v1"
)

//go:embed peers.yaml
var peersYAML []byte

//go:embed expected.txt
var expectedText string

// The policy that denies all. The one that allows is named after its tenant.
const denial = "default-deny"

// The tenant whose policy is changed to see whether the table notices.
const changed = "alice"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run . RENDERED")
		os.Exit(2)
	}
	found, err := run(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "network policies:", err)
		os.Exit(2)
	}
	for _, failure := range found.failures {
		fmt.Println("FAILED", failure)
	}
	fmt.Printf("%d passed, %d failed\n", found.passed, len(found.failures))
	if len(found.failures) > 0 {
		os.Exit(1)
	}
}

// findings are what was asked: how much of it is as it should be, and what is not.
type findings struct {
	passed   int
	failures []string
}

func (f *findings) note(isWell bool, format string, arguments ...any) {
	if isWell {
		f.passed++
	} else {
		f.failures = append(f.failures, fmt.Sprintf(format, arguments...))
	}
}

func run(rendered string) (*findings, error) {
	peers, err := readPeers(peersYAML)
	if err != nil {
		return nil, fmt.Errorf("peers.yaml: %w", err)
	}
	expected, err := readTable(expectedText, peers)
	if err != nil {
		return nil, fmt.Errorf("expected.txt: %w", err)
	}
	classes, err := readClasses(rendered, expected.classes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", rendered, err)
	}
	found := &findings{}
	is := table{classes: expected.classes}
	for _, row := range expected.rows {
		wanted := row.signs
		row.signs = nil
		for column, class := range classes {
			signs := row.judge(class.policies, class, peers)
			found.note(signs == wanted[column], "%s: %s is %s, not %s", class.Name, row.connection(), signs, wanted[column])
			row.signs = append(row.signs, signs)
		}
		is.rows = append(is.rows, row)
	}
	fmt.Println(is)
	for column, class := range classes {
		askTheTable(found, expected, column, class, peers)
		askTheDenial(found, expected, class, peers)
	}
	return found, nil
}

// askTheTable whether it would notice mistakes.
func askTheTable(found *findings, expected table, column int, c *class, peers map[string]peer) {
	note := func(what string, policies []*networking.NetworkPolicy) {
		isNoticed := slices.ContainsFunc(expected.rows, func(row row) bool {
			return row.judge(policies, c, peers) != row.signs[column]
		})
		found.note(isNoticed, "%s: nothing in the table notices: %s", c.Name, what)
	}
	note("no policies at all", nil)
	for at, policy := range c.policies {
		if policy.Name != changed {
			continue
		}
		for _, mutation := range mutations(policy) {
			policies := slices.Clone(c.policies)
			policies[at] = policy.DeepCopy()
			mutation.change(policies[at])
			note(fmt.Sprintf("NetworkPolicy %s/%s, %s", policy.Namespace, policy.Name, mutation.what), policies)
		}
	}
}

// askTheDenial whether it lets nothing through where it is the only one yet: it stands first in a namespace.
func askTheDenial(found *findings, expected table, c *class, peers map[string]peer) {
	isOther := func(policy *networking.NetworkPolicy) bool { return policy.Name != denial }
	alone := slices.DeleteFunc(slices.Clone(c.policies), isOther)
	for _, row := range expected.rows {
		signs := row.judge(alone, c, peers)
		found.note(!strings.Contains(signs, "y"), "%s: %s alone lets %s through", c.Name, denial, row.connection())
	}
}
