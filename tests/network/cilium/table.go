package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cilium/cilium/pkg/u8proto"
)

// A row is one connection and what becomes of it: a sign for each class and family.
type row struct {
	sender, receiver end
	port             uint16
	protocol         u8proto.U8proto
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

// ends of all rows, each once.
func (t table) ends() []end {
	var all []end
	seen := map[end]bool{}
	for _, row := range t.rows {
		for _, end := range []end{row.sender, row.receiver} {
			if !seen[end] {
				seen[end] = true
				all = append(all, end)
			}
		}
	}
	return all
}

// String is the table as people read it.
func (t table) String() string {
	var text strings.Builder
	line := func(connection, port string, signs []string) {
		fmt.Fprintf(&text, "%-48s%-10s", connection, port)
		for column, signs := range signs {
			fmt.Fprintf(&text, "%-*s", len(t.classes[column])+2, signs)
		}
		text.WriteByte('\n')
	}
	line("", "", t.classes)
	for _, row := range t.rows {
		line(row.sender.String()+" > "+row.receiver.String(), fmt.Sprintf("%d/%s", row.port, row.protocol), row.signs)
	}
	return text.String()
}

func readTable(content string, w *world) (table, error) {
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
		for _, end := range []end{row.sender, row.receiver} {
			one, isKnown := w.peers[end.peer]
			if !isKnown || (end.name != "" && one.isPod()) {
				return read, fmt.Errorf("line %d: no peer and no address: %s", number+1, end)
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
	number, name, _ := strings.Cut(fields[3], "/")
	port, err := strconv.ParseUint(number, 10, 16)
	protocol, isKnown := u8proto.ProtoIDs[strings.ToLower(name)]
	if err != nil || port == 0 || !isKnown {
		return row{}, fmt.Errorf("%s is no port", fields[3])
	}
	for _, signs := range fields[4:] {
		if len(signs) != 2 || strings.Trim(signs, "ypfeib-") != "" {
			return row{}, fmt.Errorf("%s: two of y p f e i b -", signs)
		}
	}
	return row{readEnd(fields[0]), readEnd(fields[2]), uint16(port), protocol, fields[4:]}, nil
}

func readEnd(text string) end {
	if name, peer, isNamed := strings.Cut(text, "@"); isNamed {
		return end{name, peer}
	}
	return end{peer: text}
}
