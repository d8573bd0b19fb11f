package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
)

// A row is one connection and what becomes of it: a sign for each class and family.
type row struct {
	sender, receiver string
	port             int
	protocol         core.Protocol
	signs            []string // one for each class: IPv4, IPv6
}

func (r row) connection() string {
	return fmt.Sprintf("%s > %s %d/%s", r.sender, r.receiver, r.port, r.protocol)
}

// A table is what is expected, or what is so.
type table struct {
	classes []string
	rows    []row
}

// String is the table as people read it.
func (t table) String() string {
	var text strings.Builder
	line := func(connection, port string, signs []string) {
		fmt.Fprintf(&text, "%-26s%-11s", connection, port)
		for column, signs := range signs {
			fmt.Fprintf(&text, "%-*s", len(t.classes[column])+2, signs)
		}
		text.WriteByte('\n')
	}
	line("", "", t.classes)
	for _, row := range t.rows {
		line(row.sender+" > "+row.receiver, fmt.Sprintf("%d/%s", row.port, row.protocol), row.signs)
	}
	return text.String()
}

func readTable(content string, peers map[string]peer) (table, error) {
	var read table
	seen := map[string]bool{}
	for number, line := range strings.Split(content, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if list, ok := strings.CutPrefix(line, "classes:"); ok {
			read.classes = strings.Fields(list)
			continue
		}
		row, err := readRow(strings.Fields(line), len(read.classes))
		if err != nil {
			return read, fmt.Errorf("line %d: %w: %s", number+1, err, line)
		}
		for _, name := range []string{row.sender, row.receiver} {
			if _, isKnown := peers[name]; !isKnown {
				return read, fmt.Errorf("line %d: peers.yaml has no %s", number+1, name)
			}
		}
		if seen[row.connection()] {
			return read, fmt.Errorf("line %d: stands there twice: %s", number+1, line)
		}
		seen[row.connection()] = true
		read.rows = append(read.rows, row)
	}
	return read, nil
}

func readRow(fields []string, classes int) (row, error) {
	if len(fields) != 4+classes || fields[1] != ">" {
		return row{}, fmt.Errorf("write SENDER > RECEIVER PORT/PROTOCOL and %d signs", classes)
	}
	number, protocol, _ := strings.Cut(fields[3], "/")
	port, err := strconv.Atoi(number)
	if err != nil || (protocol != "TCP" && protocol != "UDP") {
		return row{}, fmt.Errorf("%s is no port", fields[3])
	}
	for _, signs := range fields[4:] {
		if len(signs) != 2 || strings.Trim(signs, "yeib-") != "" {
			return row{}, fmt.Errorf("%s: two of y e i b -", signs)
		}
	}
	return row{fields[0], fields[2], port, core.Protocol(protocol), fields[4:]}, nil
}

// judge asks the simulator what becomes of the row's connection under these policies, over IPv4 and over IPv6.
func (r row) judge(policies []*networking.NetworkPolicy, c *class, peers map[string]peer) string {
	judge := matcher.BuildNetworkPolicies(false, policies)
	signs := ""
	for family := range 2 {
		source, destination := peers[r.sender].seen(c, family), peers[r.receiver].seen(c, family)
		if source == nil || destination == nil {
			signs += "-"
			continue
		}
		answer := judge.IsTrafficAllowed(&matcher.Traffic{
			Source: source, Destination: destination, ResolvedPort: r.port, Protocol: r.protocol,
		})
		switch {
		case answer.IsAllowed():
			signs += "y"
		case answer.Ingress.IsAllowed():
			signs += "e"
		case answer.Egress.IsAllowed():
			signs += "i"
		default:
			signs += "b"
		}
	}
	return signs
}
