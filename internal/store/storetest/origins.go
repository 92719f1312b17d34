package storetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/id"
	"domicile.dev/internal/residency"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// testOrigins states what is kept of whose law people bring.
func testOrigins(t *testing.T, w *world) {
	var st sqlstore.Subjects
	key := func(n byte) subject.Key { return subject.Key{Tenant: 1, Subject: id.Subject{n}} }
	ann, bob, comer, nobody := key(1), key(2), key(3), key(9)
	number := func(k subject.Key, digest byte, typ string, claimed bool) *subject.Binding {
		return &subject.Binding{BindingKey: subject.BindingKey{Tenant: k.Tenant, Digest: subject.Digest{digest}}, Subject: k.Subject, Type: typ, Claimed: claimed,
			Source: "src_ie1_a", KeyVersion: 1, Sealed: []byte{digest}, CreatedAt: 5}
	}
	row := func(k subject.Key, state subject.State, numbers string) *subject.Row {
		return &subject.Row{Key: k, Head: k.Subject, State: state, CreatedAt: 1, Epoch: 7, Wrapped: []byte{k.Subject[0]}, Numbers: numbers}
	}
	retired := number(ann, 1, term.Phone, false)
	w.do(func(c sqlstore.Conn) error {
		return errors.Join(sqlstore.Tenants{}.PutTenant(c, tenant.Tenant{No: 1, ID: "acme"}),
			st.InsertRows(c, []*subject.Row{row(ann, 0, "IE,"), row(bob, subject.Public, ""), row(comer, subject.Arriving, "")}),
			st.InsertBindings(c, []*subject.Binding{retired, number(ann, 2, term.WhatsAppID, false), number(ann, 3, term.Email, false), number(bob, 4, term.Phone, true)}))
	})
	want := func(what string, all ...residency.Origins) {
		t.Helper()
		got := make([]residency.Origins, len(all))
		w.view(func(c sqlstore.Conn) error {
			n := 0
			err := st.Origins(c, []subject.Key{ann, nobody, bob, comer}, func(i int, o residency.Origins) {
				if i != []int{0, 2, 3}[n] {
					t.Errorf("%s: the place is %d", what, i)
				}
				got[n] = o
				n++
			})
			return err
		})
		if d := cmp.Diff(all, got); d != "" {
			t.Errorf("%s: %s", what, d)
		}
	}
	numbers := func(s string) residency.Origins { return residency.Origins{Numbers: s} }
	unlooked := residency.Origins{Unlooked: true}
	want("new people", numbers("IE,"), numbers(""), unlooked)

	w.do(func(c sqlstore.Conn) error {
		return st.AddNumbers(c, []subject.Number{{Key: ann, Countries: "US,"}, {Key: bob, Countries: "FR,"}, {Key: comer, Countries: "JP,"}, {Key: nobody, Countries: "JP,"}})
	})
	want("added", numbers("IE,US,"), numbers("FR,"), unlooked)
	w.do(func(c sqlstore.Conn) error {
		return st.PutNumbers(c, []subject.Number{{Key: ann, Countries: "XX,"}, {Key: comer, Countries: "JP,"}})
	})
	want("what was looked at is put where nobody had looked", numbers("IE,US,"), numbers("FR,"), numbers("JP,"))

	retired.RetiredAt = 9
	w.do(func(c sqlstore.Conn) error {
		return errors.Join(st.RetireBindings(c, []*subject.Binding{retired}), st.DropClaims(c, []subject.BindingKey{{Tenant: 1, Digest: subject.Digest{4}}}),
			st.PutResidences(c, []subject.Residence{{Key: bob, Country: "DE", Source: "src_ie1_b", At: 17}}))
	})
	gone := unlooked
	gone.Residence, gone.DeclaredAt, gone.DeclaredBy = "DE", 17, "src_ie1_b"
	want("a number retired, a claim dropped, a residence", unlooked, gone, numbers("JP,"))

	var found []string
	w.view(func(c sqlstore.Conn) error {
		return st.NumbersOf(c, []subject.Key{bob, ann, nobody}, func(i int, b subject.OldBinding) {
			if i != 1 || b.TenantID != "acme" || b.Epoch != 7 || len(b.Wrapped) != 1 || b.Wrapped[0] != 1 || b.Subject != ann.Subject {
				t.Errorf("a number of %d: %+v", i, b)
			}
			found = append(found, b.Type+string(rune('0'+b.Sealed[0])))
		})
	})
	if d := cmp.Diff([]string{term.WhatsAppID + "2"}, found); d != "" {
		t.Errorf("numbers that are somebody's now: %s", d)
	}
}
