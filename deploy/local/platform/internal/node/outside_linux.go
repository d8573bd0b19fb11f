package node

import (
	"fmt"
	"strconv"
	"syscall"

	"openclaw.io/local/platform/internal/outside"
)

// startOutside starts the world beyond this node, in a network namespace of its own, and lays a cable and routes there.
func startOutside(spec *Spec, keeper *keeper) error {
	pid, err := keeper.startWith("outside", syscall.CLONE_NEWNET, spec.Program, "outside")
	if err != nil {
		return err
	}
	steps := [][]string{
		{"link", "add", "outside0", "type", "veth", "peer", "name", outside.Cable, "netns", strconv.Itoa(pid)},
		{"addr", "add", outside.Near.String() + "/30", "dev", "outside0"},
		{"link", "set", "outside0", "up"},
	}
	for _, host := range outside.Hosts {
		steps = append(steps, []string{"route", "add", host.Address.String() + "/32", "via", outside.Far.String()})
	}
	for _, step := range steps {
		if err := run("ip", step...); err != nil {
			return fmt.Errorf("the way to the outside: %w", err)
		}
	}
	return nil
}

// Outside prepares the namespace that it runs in once the node has laid its cable, and plays everybody in there.
func Outside() error {
	if err := awaitCable(outside.Cable); err != nil {
		return err
	}
	steps := [][]string{
		{"link", "set", "lo", "up"}, {"addr", "add", outside.Far.String() + "/30", "dev", outside.Cable},
		{"link", "set", outside.Cable, "up"}, {"route", "add", PodRange.String(), "via", outside.Near.String()},
	}
	for _, host := range outside.Hosts {
		steps = append(steps, []string{"addr", "add", host.Address.String() + "/32", "dev", "lo"})
	}
	for _, step := range steps {
		if err := run("ip", step...); err != nil {
			return err
		}
	}
	return nil
}
