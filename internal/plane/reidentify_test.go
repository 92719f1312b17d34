package plane_test

import (
	"context"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/pseudonym"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/vault"
)

// remember enters pseudonyms as a flow does before a delivery, twice, as a retry would.
func (w *world) remember(recipient string, people ...id.Subject) {
	w.t.Helper()
	t := pseudonym.Target{Region: w.region, TenantID: "acme", Tenant: 1, Recipient: recipient, Purpose: "support"}
	names := w.vault.Pseudonyms("acme", recipient, "support")
	for range 2 {
		err := w.db.Do(context.Background(), func(tx store.Tx) error {
			var list []pseudonym.Person
			for _, s := range people {
				var row subject.Row
				if err := (sqlstore.Subjects{}).Rows(tx, []subject.Key{{Tenant: 1, Subject: s}}, func(r subject.Row) { row = r }); err != nil {
					return err
				}
				var key *seal.Key
				key, err := w.vault.Unwrap("acme", s, vault.Wrapped{Epoch: row.Epoch, Bytes: row.Wrapped})
				if err != nil {
					return err
				}
				list = append(list, pseudonym.Person{Subject: s, Key: key})
			}
			return pseudonym.Remember(tx, sqlstore.Pseudonyms{}, t, names, list, w.now)
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) reidentify(recipient string, name id.Pseudonym, reason string) (plane.Reidentified, error) {
	return w.Reidentify(context.Background(), w.caller, plane.ReidentifyRequest{Recipient: recipient, Purpose: "support", Pseudonym: name, Reason: reason})
}

func (w *world) pseudonyms(t testing.TB, s id.Subject) (n int) {
	t.Helper()
	if err := w.db.View(context.Background(), func(tx store.Tx) error {
		return sqlstore.Pseudonyms{}.Of(tx, 1, []id.Subject{s}, func(pseudonym.Row) { n++ })
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAPseudonymIsTurnedBackUntilThePersonIsErased(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/track", track("u1", "m1", "Paid"))
		s := w.find("user_id", "u1")
		name := w.vault.Pseudonyms("acme", "helpdesk", "support").Subject(s)
		_, err := w.reidentify("helpdesk", name, "fraud")
		wantKind(t, "before it left", err, fault.NotFound, "pseudonym.unknown")
		w.remember("helpdesk", s)
		w.remember("analytics", s)
		if n := w.pseudonyms(t, s); n != 2 {
			t.Fatalf("%d rows, want one for each recipient", n)
		}
		w.restart()
		got, err := w.reidentify("helpdesk", name, "fraud")
		if err != nil || got.Subject != s {
			t.Fatalf("Reidentify = %v, %v, want %s", got.Subject, err, s)
		}
		_, err = w.reidentify("analytics", name, "fraud")
		wantKind(t, "of another recipient", err, fault.NotFound, "pseudonym.unknown")
		_, err = w.reidentify("helpdesk", name, "curiosity")
		wantKind(t, "for no reason", err, fault.Invalid, "reidentify.reason")
		if _, err := w.Restrict(context.Background(), w.caller, s, ""); err != nil {
			t.Fatal(err)
		}
		_, err = w.reidentify("helpdesk", name, "fraud")
		wantKind(t, "restricted", err, fault.Forbidden, "subject.restricted")
		if got, err := w.reidentify("helpdesk", name, "legal-claims"); err != nil || got.Subject != s {
			t.Errorf("restricted, for a legal claim: %v, %v", got, err)
		}
		w.erase(s)
		_, err = w.reidentify("helpdesk", name, "legal-claims")
		wantKind(t, "erased", err, fault.NotFound, "pseudonym.unknown")
		if n := w.pseudonyms(t, s); n != 0 {
			t.Errorf("%d rows after the erasure", n)
		}
	})
}

func TestAPseudonymFromBeforeAMergeMeansThePerson(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/track", `{"anonymousId":"a1","messageId":"m1","event":"Seen"}`)
		w.send(w.src, "/v1/track", track("u1", "m2", "Paid"))
		anon := w.find("anonymous_id", "a1")
		w.remember("helpdesk", anon)
		w.send(w.src, "/v1/identify", `{"anonymousId":"a1","userId":"u1","messageId":"m3"}`)
		head := w.find("user_id", "u1")
		name := w.vault.Pseudonyms("acme", "helpdesk", "support").Subject(anon)
		if got, err := w.reidentify("helpdesk", name, "request"); err != nil || got.Subject != head {
			t.Fatalf("Reidentify = %v, %v, want the head %s", got.Subject, err, head)
		}
		w.erase(head)
		_, err := w.reidentify("helpdesk", name, "request")
		wantKind(t, "erased with the head", err, fault.NotFound, "pseudonym.unknown")
	})
}

// The ledger outlives an erasure: nothing comes into it that somebody typed.
func TestWhatSomebodyTypedForARecipientIsNotEntered(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.Recipient = func(id string) bool { return id == "helpdesk" }
		w.Purpose = func(id string) bool { return id == "support" }
		w.send(w.src, "/v1/track", track("u1", "m1", "Paid"))
		name := w.vault.Pseudonyms("acme", "helpdesk", "support").Subject(w.find("user_id", "u1"))
		for _, q := range []plane.ReidentifyRequest{{Recipient: "ann@typed.example", Purpose: "support"}, {Recipient: "helpdesk", Purpose: "for ann@typed.example"}, {Recipient: "helpdesk", Purpose: "support"}} {
			q.Pseudonym, q.Reason = name, "fraud"
			_, err := w.Reidentify(context.Background(), w.caller, q)
			wantKind(t, "nobody's", err, fault.NotFound, "pseudonym.unknown")
		}
		entries := w.query(`SELECT ` + w.text("entry") + ` FROM ledger_entry WHERE kind = 'reidentify' ORDER BY leaf`)
		if len(entries) != 3 {
			t.Fatalf("%d entries, want each look entered", len(entries))
		}
		for i, x := range entries {
			if strings.Contains(x, "typed.example") || strings.Contains(x, "helpdesk") != (i == 2) {
				t.Errorf("entry %d: %s", i, x)
			}
		}
	})
}
