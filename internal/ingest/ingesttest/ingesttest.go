// Package ingesttest is what the tests of adapters share: the kinds of the example programme, and
// events written down so that a table can say what became of them.
package ingesttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/programme"
)

// Received is when the bodies of tests are received.
var Received = time.Date(2026, 1, 6, 0, 0, 0, 0, time.UTC)

// Kinds are compiled kinds by "service/name".
type Kinds map[string]*ingest.Kind

// Kind is a method of ingest.Kinds.
func (k Kinds) Kind(service, name string) *ingest.Kind { return k[service+"/"+name] }

// Env has the kinds of the example programme.
func Env(t testing.TB) ingest.Env {
	t.Helper()
	p, err := programme.Load(examples.Communications())
	if err != nil {
		t.Fatal(err)
	}
	k := Kinds{}
	for kind, fields := range p.KindRules() {
		var rules []ingest.Rule
		for _, f := range fields {
			rules = append(rules, ingest.Rule{Path: f.Path, Category: f.Category, Owner: f.OwnerOrDefault(), Precise: p.PreciseLocation(f.Category)})
		}
		if k[kind.Service+"/"+kind.Kind], err = ingest.Compile(kind.Service, kind.Kind, rules); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range p.Kinds {
		k[kind.Service+"/"+kind.Kind].SubjectType = kind.SubjectType
	}
	return ingest.Env{ReceivedAt: Received, Kinds: k}
}

// Request is the request of a captured exchange: its headers, and its body without white space.
type Request struct {
	Headers map[string]string
	Body    []byte
}

// Read reads the captured exchange in a file. Body is nil when it had none.
func Read(t testing.TB, file string) Request {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var x struct {
		Request struct {
			Headers map[string]string
			Body    json.RawMessage
		}
	}
	var wire bytes.Buffer
	if err := json.Unmarshal(raw, &x); err != nil {
		t.Fatal(err)
	}
	if x.Request.Body != nil {
		if err := json.Compact(&wire, x.Request.Body); err != nil {
			t.Fatal(err)
		}
	}
	return Request{x.Request.Headers, wire.Bytes()}
}

// Kept is what became of an event, as a test writes it down.
type Kept struct {
	Kind, ID, Qualifier, At string
	People                  []string // role, type and value
	Parts                   []string // owner, category and the names in it, sorted
}

var short = strings.NewReplacer("electronic_communications_metadata", "metadata", "customer_content", "content", "contact_data", "contact",
	"device_data", "device", "online_activity_data", "activity", "marketing_communications_data", "choice")

// Describe returns what became of event i of b. Names of objects that several parts share are
// written with a dot and what is below.
func Describe(t testing.TB, b *ingest.Batch, i int) Kept {
	t.Helper()
	e := &b.Events[i]
	if e.Refused != nil {
		return Kept{Kind: strings.TrimSpace("refused: " + e.Refused.Reason + " " + b.Path(e))}
	}
	k := Kept{Kind: e.Kind.Service + "/" + e.Kind.Name, ID: string(e.ClientID), Qualifier: e.Qualifier,
		At: time.UnixMilli(e.OccurredAt).UTC().Format("2006-01-02T15:04:05")}
	if e.OccurredAt == Received.UnixMilli() {
		k.At = "received"
	}
	for _, id := range e.Identifiers {
		k.People = append(k.People, fmt.Sprintf("%s %s %s", id.Role, id.Type, id.Value))
	}
	seen := map[string]int{}
	parts := make([]map[string]json.RawMessage, len(e.Fragments))
	for i, f := range e.Fragments {
		if err := json.Unmarshal(f.JSON, &parts[i]); err != nil {
			t.Fatalf("%s: %v", f.JSON, err)
		}
		for name := range parts[i] {
			seen[name]++
		}
	}
	for i, f := range e.Fragments {
		var names []string
		for name, value := range parts[i] {
			var below map[string]json.RawMessage
			if seen[name] > 1 && json.Unmarshal(value, &below) == nil {
				for inner := range below {
					names = append(names, name+"."+inner)
				}
				continue
			}
			names = append(names, name)
		}
		slices.Sort(names)
		k.Parts = append(k.Parts, fmt.Sprintf("%s %s: %s", f.Owner, short.Replace(f.Category), strings.Join(names, " ")))
	}
	slices.Sort(k.Parts)
	return k
}

// Data returns the content of an event as it was kept.
func Data(t testing.TB, e *ingest.Event) map[string]any {
	t.Helper()
	var parts [][]byte
	for _, f := range e.Fragments {
		parts = append(parts, f.JSON)
	}
	merged, err := ingest.Merge(parts)
	var v map[string]any
	if err != nil || json.Unmarshal(merged, &v) != nil {
		t.Fatalf("%s: %v", merged, err)
	}
	return v
}

// Sound fails t unless every event of b is either refused, with nothing in it, or whole: of a kind,
// named, in time, in parts that merge.
func Sound(t testing.TB, b *ingest.Batch, received time.Time) {
	t.Helper()
	for i := range b.Events {
		e := &b.Events[i]
		if e.Refused != nil {
			if e.Refused.Reason == "" || e.Fragments != nil || e.Identifiers != nil || e.ClientID != nil {
				t.Errorf("event %d is refused and yet has something: %+v", i, e)
			}
			_ = b.Path(e)
			continue
		}
		if e.Kind == nil || len(e.ClientID) == 0 || e.OccurredAt <= 0 || e.OccurredAt > received.UnixMilli() || len(e.Fragments) == 0 {
			t.Errorf("event %d is kept and not whole: %+v", i, e)
		}
		for _, id := range e.Identifiers {
			if len(id.Value) == 0 || id.Type == "" || id.Role == "" {
				t.Errorf("event %d names nobody: %+v", i, id)
			}
		}
		Data(t, e)
	}
}
