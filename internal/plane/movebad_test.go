package plane_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/transit"
)

// Whoever may open a move can seal pages of their own making: what they say is held to the programme
// and to the forms of what lies in the clear.
func TestPagesAreNotTrusted(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		a, err := w.OpenMove(ctx, w.caller, "us1")
		if err != nil {
			t.Fatal(err)
		}
		route := transit.Route{Move: a.Move, Tenant: "acme", From: "us1", To: "ie1"}
		seal := func(p transit.Part, n uint32, v any) []byte {
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := transit.Seal(a.Public, route, p, n, b)
			if err != nil {
				t.Fatal(err)
			}
			return sealed
		}
		secret, release := transit.NewSecret()
		other, cancel := transit.NewSecret()
		hello := seal(transit.PartHello, 0, transit.Hello{AckKey: secret, Release: release, Cancel: cancel})
		take := func(n uint32, sealed []byte) error { return second(w.TakePage(ctx, w.caller, a.Move, n, sealed)) }
		record := func(change func(*transit.Record)) transit.Page {
			r := transit.Record{ID: id.Record{Ordinal: 7}.String(), Service: "cdp", Kind: "track", Source: "src_us1_x", OccurredAt: 1, ReceivedAt: w.now.UnixMilli(),
				Parts: []transit.Fragment{{Category: "activity", Plain: []byte("\x02m1{\"event\":\"x\"}")}}}
			change(&r)
			return transit.Page{Next: "0101", Records: []transit.Record{r}}
		}
		wantKind(t, "arrive before anything", second(w.Arrive(ctx, w.caller, a.Move, hello)), fault.Conflict, "move.page_order")
		wantKind(t, "page 1 first", take(1, seal(transit.PartPage, 1, record(func(*transit.Record) {}))), fault.Conflict, "move.page_order")
		wantKind(t, "not sealed", take(0, []byte("hello")), fault.Invalid, "move.altered")
		wantKind(t, "no hello", take(0, seal(transit.PartHello, 0, transit.Page{})), fault.Invalid, "move.malformed")
		if err := take(0, hello); err != nil {
			t.Fatal(err)
		}
		for name, tt := range map[string]struct {
			change func(*transit.Record)
			kind   fault.Kind
			reason string
		}{
			"a kind that isn't declared": {func(r *transit.Record) { r.Kind = "ann@example.com" }, fault.Conflict, "move.undeclared_kind"},
			"a source that is a person":  {func(r *transit.Record) { r.Source = "ann@example.com" }, fault.Invalid, "move.malformed"},
			"the future":                 {func(r *transit.Record) { r.ReceivedAt = w.now.Add(time.Hour).UnixMilli() }, fault.Invalid, "move.future"},
			"no JSON":                    {func(r *transit.Record) { r.Parts[0].Plain = []byte("\x00nonsense") }, fault.Invalid, "move.malformed"},
			"a record that is none":      {func(r *transit.Record) { r.ID = "ann@example.com" }, fault.Invalid, "move.malformed"},
			"no parts":                   {func(r *transit.Record) { r.Parts = nil }, fault.Invalid, "move.malformed"},
		} {
			wantKind(t, name, take(1, seal(transit.PartPage, 1, record(tt.change))), tt.kind, tt.reason)
		}
		gap := record(func(*transit.Record) {})
		gap.From = "0202"
		wantKind(t, "a gap", take(1, seal(transit.PartPage, 1, gap)), fault.Conflict, "move.page_order")
		if err := take(1, seal(transit.PartPage, 1, record(func(r *transit.Record) { r.Parts[0].Category = "ann@example.com" }))); err != nil {
			t.Fatal(err)
		}
		person := transit.Person{Subject: "sub_aaaaaaaaaaaaaaaaaaaa", Trusted: true, Identifiers: []transit.Identifier{{Type: "email", Value: "Ann@Example.com", Source: "src_us1_x"}}}
		arrive := func() error { return second(w.Arrive(ctx, w.caller, a.Move, seal(transit.PartPerson, 0, person))) }
		wantKind(t, "not canonical", arrive(), fault.Invalid, "move.malformed")
		person.Identifiers[0].Value = "ann@example.com"
		person.Identifiers[0].Source = "Ann"
		wantKind(t, "a source that is none", arrive(), fault.Invalid, "move.malformed")
		person.Identifiers[0].Source = "src_us1_x"
		if err := arrive(); err != nil {
			t.Fatal(err)
		}
		_, err = w.ActivateMove(ctx, w.caller, a.Move, other)
		wantKind(t, "another secret", err, fault.Conflict, "move.bad_proof")
		if _, err := w.ActivateMove(ctx, w.caller, a.Move, secret); err != nil {
			t.Fatal(err)
		}
		got := w.records(w.find("email", "ann@example.com"))
		if len(got) != 1 || got[0].Categories[0] != "unclassified" || got[0].ClientID != "m1" {
			t.Errorf("of a category that isn't declared became %+v", got)
		}
	})
}
