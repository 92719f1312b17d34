package form

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/decision"
	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/vault"
)

var loaded *programme.Programme

// communications is the example programme.
func communications(t testing.TB) *programme.Programme {
	t.Helper()
	if loaded == nil {
		p, err := programme.Load(examples.Communications())
		if err != nil {
			t.Fatal(err)
		}
		loaded = p
	}
	return loaded
}

var testKeys = vault.PseudonymsUnder([]byte("a key of thirty-two bytes, made up"))

var (
	received = time.Date(2026, 11, 22, 6, 45, 12, 345_000_000, time.UTC)
	occurred = received.Add(-90 * time.Minute)
)

func subject(n byte) (s id.Subject) { s[0], s[11] = 0x5a, n; return s }

func recordID(n byte) id.Record { return id.RecordOf([16]byte{0: 0x7e, 15: n}) }

func allow(p *programme.Programme, flow string, f decision.Form, obligations ...decision.Obligation) *decision.Decision {
	return &decision.Decision{Allowed: true, Form: f, Flow: flow, Programme: p.Hash, Obligations: obligations}
}

func shaper(t testing.TB, p *programme.Programme, flow string) *Shaper {
	t.Helper()
	s, err := New(p, flowOf(t, p, flow), testKeys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// split makes of an event the parts of each category, as ingest does, all about one person.
func split(t testing.TB, p *programme.Programme, service, kind string, of id.Subject, event []byte) (parts []Part) {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(event, &all); err != nil {
		t.Fatal(err)
	}
	byCategory := map[string]map[string]any{}
	var walk func(at []string, v any)
	walk = func(at []string, v any) {
		if m, ok := v.(map[string]any); ok && len(m) > 0 {
			for name, v := range m {
				walk(append(slices.Clone(at), name), v)
			}
			return
		}
		c := p.CategoryAt(service, kind, strings.Join(at, "."))
		if byCategory[c] == nil {
			byCategory[c] = map[string]any{}
		}
		in := byCategory[c]
		for _, name := range at[:len(at)-1] {
			next, _ := in[name].(map[string]any)
			if next == nil {
				next = map[string]any{}
				in[name] = next
			}
			in = next
		}
		in[at[len(at)-1]] = v
	}
	walk(nil, any(all))
	for _, c := range slices.Sorted(maps.Keys(byCategory)) {
		text, err := json.Marshal(byCategory[c])
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, Part{c, of, text})
	}
	return parts
}

func part(category string, of id.Subject, text string) Part { return Part{category, of, []byte(text)} }

func record(service, kind string, parts ...Part) *Record {
	return &Record{ID: recordID(1), Kind: kind, Service: service, OccurredAt: occurred, ReceivedAt: received, Parts: parts}
}

// line shapes a record and takes the line apart.
func line(t testing.TB, s *Shaper, r *Record, d *decision.Decision) (text string, o map[string]any) {
	t.Helper()
	out, err := s.Shape([]byte("before"), r, d)
	if err != nil {
		t.Fatal(err)
	}
	text, ok := strings.CutPrefix(string(out), "before")
	if !ok || strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		t.Fatalf("not one line: %q", text)
	}
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return text, o
}

func flowOf(t testing.TB, p *programme.Programme, flow string) *programme.Flow {
	t.Helper()
	i := slices.IndexFunc(p.Flows, func(f programme.Flow) bool { return f.ID == flow })
	if i < 0 {
		t.Fatalf("no flow %s", flow)
	}
	return &p.Flows[i]
}
