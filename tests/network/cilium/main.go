// Judges the policies that the operator rendered for two tenants by Cilium's own policy engine, and compares what may be reached
// with a table that was written by hand. Then it shows that the table notices each part that is left out of the policy of names,
// and what is added.
//
//	go run . RENDERED ../peers.yaml
package main

import (
	_ "embed"
	"fmt"
	"os"

	v2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
)

//go:embed peers.yaml
var peersYAML []byte

//go:embed expected.txt
var expectedText string

// The tenant whose policy is changed to see whether the table notices.
const changed = "alice"

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go run . RENDERED ../peers.yaml")
		os.Exit(2)
	}
	found, err := run(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "policies of names:", err)
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

func run(rendered, shared string) (*findings, error) {
	w, err := readWorld(shared, peersYAML)
	if err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	expected, err := readTable(expectedText, w)
	if err != nil {
		return nil, fmt.Errorf("expected.txt: %w", err)
	}
	classes, err := readClasses(rendered, expected.classes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", rendered, err)
	}
	found := &findings{}
	is := table{classes: expected.classes, rows: make([]row, len(expected.rows))}
	for column, class := range classes {
		if err := compare(found, expected, &is, column, class, w); err != nil {
			return nil, fmt.Errorf("class %s: %w", class.Name, err)
		}
	}
	fmt.Println(is)
	for column, class := range classes {
		if err := askTheTable(found, expected, column, class, w); err != nil {
			return nil, fmt.Errorf("class %s: %w", class.Name, err)
		}
	}
	return found, nil
}

// compare what is so for a class with what is expected.
func compare(found *findings, expected table, is *table, column int, c *class, w *world) error {
	engine, err := newEngine(&c.policies, expected.ends(), w, c)
	if err != nil {
		return err
	}
	for at, row := range expected.rows {
		signs, err := engine.judge(row)
		if err != nil {
			return err
		}
		if err := engine.agrees(row, signs); err != nil {
			return err
		}
		wanted := row.signs[column]
		found.note(signs == wanted, "%s: %s is %s, not %s", c.Name, row.connection(), signs, wanted)
		if column == 0 {
			row.signs = nil
			is.rows[at] = row
		}
		is.rows[at].signs = append(is.rows[at].signs, signs)
	}
	return nil
}

// askTheTable whether it would notice mistakes.
func askTheTable(found *findings, expected table, column int, c *class, w *world) error {
	ends := expected.ends()
	note := func(what string, policies *policies) error {
		engine, err := newEngine(policies, ends, w, c)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		for _, row := range expected.rows {
			signs, err := engine.judge(row)
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			if signs != row.signs[column] {
				found.note(true, "")
				return nil
			}
		}
		found.note(false, "%s: nothing in the table notices: %s", c.Name, what)
		return nil
	}
	policy := c.policies.ofCilium[changed]
	if policy == nil {
		return fmt.Errorf("%s has no CiliumNetworkPolicy", changed)
	}
	if err := note("no policies at all", &policies{}); err != nil {
		return err
	}
	if err := note("no policy of names", c.policies.with(changed, nil)); err != nil {
		return err
	}
	alone := &policies{ofCilium: map[string]*v2.CiliumNetworkPolicy{changed: policy}}
	if err := note("no other policy", alone); err != nil {
		return err
	}
	for _, mutation := range mutations(policy) {
		other := policy.DeepCopy()
		mutation.change(other.Spec)
		if err := note(mutation.what, c.policies.with(changed, other)); err != nil {
			return err
		}
	}
	return nil
}
