package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
)

// node says which node a command speaks to. --up wins over the environment, which wins over a
// .domicile that is there.
type node struct {
	Up     string `help:"Speak to what domicile up started with --dir DIR." placeholder:"DIR"`
	Region string `help:"Region of --up. Default: the first." placeholder:"ID"`
}

// upDir is where domicile up puts things when it isn't told.
const upDir = ".domicile"

// dir returns the directory of domicile up to speak to, "" for the environment.
func (n *node) dir() (string, error) {
	if n.Up != "" {
		return n.Up, nil
	}
	if os.Getenv("DOMICILE_URL") != "" {
		if n.Region != "" {
			return "", fault.New(fault.Invalid, "call.invalid", "--region goes with --up: DOMICILE_URL names one node")
		}
		return "", nil
	}
	if _, err := os.Stat(filepath.Join(upDir, "up.json")); err == nil {
		return upDir, nil
	}
	return "", fault.New(fault.Invalid, "node.unnamed", "no node to speak to").
		WithHint("give --up DIR, or set DOMICILE_URL and DOMICILE_TOKEN")
}

// tenant returns a client that speaks for a tenant.
func (n *node) tenant() (*client.Client, error) { return n.open((*client.Up).Tenant) }

// operator returns a client that manages tenants.
func (n *node) operator() (*client.Client, error) { return n.open((*client.Up).Operator) }

func (n *node) open(from func(*client.Up, client.Region, *http.Client) (*client.Client, error)) (*client.Client, error) {
	dir, err := n.dir()
	if err != nil {
		return nil, err
	}
	if dir == "" {
		token := os.Getenv("DOMICILE_TOKEN")
		if token == "" {
			return nil, fault.New(fault.Invalid, "node.no_token", "DOMICILE_URL is set and DOMICILE_TOKEN is not")
		}
		return client.New(os.Getenv("DOMICILE_URL"), token, nil)
	}
	up, err := client.ReadUp(dir)
	if err != nil {
		return nil, err
	}
	r, err := up.Region(n.Region)
	if err != nil {
		return nil, err
	}
	return from(up, r, nil)
}

// printJSON writes v on one line.
func (e *env) printJSON(v any) error {
	enc := json.NewEncoder(e.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// say talks to whoever is in front: to stderr, and not with --json.
func (e *env) say(format string, args ...any) {
	if !e.json {
		_, _ = fmt.Fprintf(e.err, format+"\n", args...)
	}
}

// table writes rows with aligned columns to stdout, without blanks at the ends of lines.
func (e *env) table(rows ...[]string) error {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush() // into memory
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(e.out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// facts writes name and value a line to stdout, without those that are empty.
func (e *env) facts(pairs ...string) error {
	var rows [][]string
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			rows = append(rows, []string{pairs[i], pairs[i+1]})
		}
	}
	return e.table(rows...)
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func clockOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return clock(*t)
}
