package plane_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest/whatsapp"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

const oldNumber, newNumber = "+353851234567", "+353857654321"

// text is a message from a number at an hour of 2 March 2026; "" gives no time, so that it is now.
func text(id, from string, hour int) string {
	at := ""
	if hour >= 0 {
		at = fmt.Sprintf(`"occurred_at":"2026-03-02T%02d:00:00Z",`, hour)
	}
	return fmt.Sprintf(`{"id":%q,"kind":"message","service":"messaging",%s"subjects":[{"type":"phone","value":%q,"role":"sender"}],"data":{"from":%q,"body":"x"}}`, id, at, from, from)
}

func phones(numbers ...string) (ids []plane.Identifier) {
	for _, n := range numbers {
		ids = append(ids, plane.Identifier{Type: term.Phone, Value: n})
	}
	return ids
}

// known is what a person is known by: "type value state".
func (w *world) known(s id.Subject) map[string]plane.IdentifierView {
	w.t.Helper()
	v, err := w.Subject(context.Background(), w.caller, s)
	if err != nil {
		w.t.Fatal(err)
	}
	m := map[string]plane.IdentifierView{}
	for _, i := range v.Identifiers {
		m[i.Type+" "+i.Value+" "+i.State] = i
	}
	return m
}

func (w *world) mustRetire(s id.Subject, ids ...plane.Identifier) plane.IdentifierChange {
	w.t.Helper()
	v, err := w.Retire(context.Background(), w.caller, s, ids)
	if err != nil {
		w.t.Fatalf("Retire: %v", err)
	}
	return v
}

func (w *world) mustBeNobody(ids ...plane.Identifier) {
	w.t.Helper()
	_, err := w.Find(context.Background(), w.caller, ids)
	wantKind(w.t, "find by what was given up", err, fault.NotFound, "subject.unknown")
}

func TestARetiredNumberIsTheNextHolders(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/identify", fmt.Sprintf(`{"userId":"u1","messageId":"i1","traits":{"phone":%q,"email":"a@example.com"}}`, oldNumber))
		w.send(w.nat, "", text("x1", oldNumber, -1))
		first := w.find(term.Phone, oldNumber)
		change := w.mustRetire(first, phones("+353 85 123 4567")...)
		if again := w.mustRetire(first, phones(oldNumber)...); change.Changed != 1 || again.Changed != 0 || again.Ledger == change.Ledger {
			t.Errorf("retired %+v, then %+v: want one change, and two entries", change, again)
		}
		w.mustBeNobody(phones(oldNumber)...)
		if v, had := w.known(first)["phone "+oldNumber+" retired"]; !had || v.RetiredAt.IsZero() || v.Since.IsZero() {
			t.Errorf("the person is known by %+v", w.known(first))
		}
		w.send(w.nat, "", text("x2", oldNumber, -1))
		second := w.find(term.Phone, oldNumber)
		if second == first {
			t.Fatal("the next holder of a number is the person before")
		}
		// What occurred before the number was given up is the first one's, however late it comes.
		w.send(w.nat, "", text("x3", oldNumber, 9))
		// What a source says from older knowledge gives the number to nobody, and makes no one person of two.
		w.send(w.src, "/v1/identify", fmt.Sprintf(`{"userId":"u1","messageId":"i2","traits":{"phone":%q}}`, oldNumber))
		w.restart()
		for range 2 { // the second time from the cache
			w.send(w.nat, "", text("x4", oldNumber, -1))
			if got := w.find(term.Phone, oldNumber); got != second {
				t.Error("the number isn't the next holder's alone any more")
			}
		}
		if n := len(w.records(first)); n != 4 { // two identifies, x1, x3
			t.Errorf("the first holder has %d records, want 4", n)
		}
		if n := len(w.records(second)); n != 2 {
			t.Errorf("the next holder has %d records, want 2", n)
		}
		// The first one's erasure takes theirs, and blocks nobody else's number.
		if _, err := w.Erase(context.Background(), w.caller, first, plane.EraseRequest{Suppress: true}); err != nil {
			t.Fatal(err)
		}
		if w.opens("x1") || w.opens("x3") || !w.opens("x2") {
			t.Error("the erasure took the wrong records")
		}
		if r := w.send(w.nat, "", text("x5", oldNumber, -1)); r.Accepted != 1 {
			t.Errorf("the next holder is blocked: %+v", r)
		}
		if w.find(term.Phone, oldNumber) != second {
			t.Error("the next holder is gone")
		}
	})
}

func TestARetiredNumberStaysSoAfterMerges(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/identify", fmt.Sprintf(`{"anonymousId":"n1","messageId":"i1","traits":{"phone":%q}}`, oldNumber))
		w.mustRetire(w.find(term.AnonymousID, "n1"), phones(oldNumber)...)
		w.send(w.src, "/v1/identify", `{"userId":"u1","anonymousId":"n0","messageId":"i2","traits":{}}`)
		w.send(w.src, "/v1/identify", `{"userId":"u1","anonymousId":"n1","messageId":"i3","traits":{}}`)
		if _, err := w.log.Merge(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.restart()
		s := w.find(term.UserID, "u1")
		if _, had := w.known(s)["phone "+oldNumber+" retired"]; !had {
			t.Errorf("after a merge the person is known by %v", w.known(s))
		}
		w.mustBeNobody(phones(oldNumber)...)
		w.send(w.nat, "", text("x1", oldNumber, -1))
		if w.find(term.Phone, oldNumber) == s {
			t.Error("the number is the person's again")
		}
		// By the tenant's own word it is, with whoever had it meanwhile.
		v, err := w.Link(context.Background(), w.caller, s, phones(oldNumber, newNumber))
		if err != nil || v.Changed != 2 || v.Subject != s {
			t.Fatalf("Link = %+v, %v", v, err)
		}
		for _, n := range []string{oldNumber, newNumber} {
			if w.find(term.Phone, n) != s {
				t.Errorf("%s isn't the person's", n)
			}
		}
		w.mustRetire(s, phones(oldNumber)...) // once more: there is a retired one
		w.mustBeNobody(phones(oldNumber)...)
		w.erase(s)
		if w.opens("x1") {
			t.Error("the joined person's record opens")
		}
	})
}

func TestHandsOffWhatIsNotTheirs(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"i1","traits":{"email":"a@example.com"}}`)
		w.send(w.src, "/v1/identify", `{"userId":"u2","messageId":"i2","traits":{"email":"b@example.com","phone":"+353851234567"}}`)
		w.send(w.web, "/v1/identify", `{"anonymousId":"n1","messageId":"c1","traits":{"email":"c@example.com"}}`)
		u1, u2, n1 := w.find(term.UserID, "u1"), w.find(term.UserID, "u2"), w.find(term.AnonymousID, "n1")
		email := func(v string) []plane.Identifier { return []plane.Identifier{{Type: term.Email, Value: v}} }
		_, err := w.Retire(ctx, w.caller, u1, email("b@example.com"))
		wantKind(t, "retire another's", err, fault.NotFound, "identifier.unknown")
		_, err = w.Retire(ctx, w.caller, n1, email("c@example.com"))
		wantKind(t, "retire a claim", err, fault.Conflict, "identifier.claimed")
		_, err = w.Retire(ctx, w.caller, u2, append(phones(oldNumber), email("a@example.com")...))
		wantKind(t, "retire one of two", err, fault.NotFound, "identifier.unknown")
		if w.find(term.Phone, oldNumber) != u2 {
			t.Error("of two identifiers one was retired")
		}
		_, err = w.Link(ctx, w.caller, u1, email("b@example.com"))
		wantKind(t, "link two users", err, fault.Conflict, "identity.two_user_ids")
		if f, _ := fault.As(err); f == nil || !slices.Equal(f.Extra["subjects"].([]id.Subject), []id.Subject{u2}) {
			t.Errorf("the other isn't named: %+v", f)
		}
		_, err = w.Link(ctx, w.caller, u1, []plane.Identifier{{Type: term.UserID, Value: "u3"}})
		wantKind(t, "a second user id", err, fault.Conflict, "identity.two_user_ids")
		_, err = w.Retire(ctx, w.caller, u1, nil)
		wantKind(t, "nothing", err, fault.Invalid, "find.no_identifiers")
		_, err = w.Link(ctx, w.caller, u1, phones("12345"))
		wantKind(t, "no number", err, fault.Invalid, "identifier.bad_value")
		globex := &tenant.Caller{Tenant: 2, TenantID: "globex", Token: "tok_2"}
		_, err = w.Retire(ctx, globex, u1, email("a@example.com"))
		wantKind(t, "another tenant's person", err, fault.NotFound, "subject.unknown")
		if _, err = w.Erase(ctx, w.caller, u2, plane.EraseRequest{Suppress: true}); err != nil {
			t.Fatal(err)
		}
		_, err = w.Link(ctx, w.caller, u1, email("b@example.com"))
		wantKind(t, "a suppressed identifier", err, fault.Conflict, "subject.suppressed")
		_, err = w.Retire(ctx, w.caller, u2, email("b@example.com"))
		wantKind(t, "an erased person", err, fault.Gone, "subject.erased")
	})
}

// TestWhatSourcesMayNotDecideIsShown: claims, shared identifiers and links that were refused.
func TestWhatSourcesMayNotDecideIsShown(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"i1","traits":{"email":"family@example.com"}}`)
		w.send(w.src, "/v1/identify", `{"userId":"u2","messageId":"i2","traits":{"email":"family@example.com"}}`)
		for i := range 2 {
			w.send(w.src, "/v1/alias", fmt.Sprintf(`{"userId":"u1","previousId":"u2","messageId":"a%d"}`, i))
		}
		w.send(w.web, "/v1/identify", `{"userId":"u1","anonymousId":"n1","messageId":"c1","traits":{"email":"stranger@example.com"}}`)
		u1, u2 := w.find(term.UserID, "u1"), w.find(term.UserID, "u2")
		if v := w.known(u1)["email family@example.com shared"]; !v.Shared || !slices.Equal(v.SharedWith, []id.Subject{u2}) || v.Source != "src_ie1_server" {
			t.Errorf("u1 is known by %+v", w.known(u1))
		}
		if len(w.known(u1)) != 3 { // its user id, its address and what the alias called it, and nothing that a browser said
			t.Errorf("u1 is known by %+v", w.known(u1))
		}
		refused := func(s id.Subject) map[string]int64 {
			v, err := w.Subject(context.Background(), w.caller, s)
			if err != nil {
				t.Fatal(err)
			}
			m := map[string]int64{}
			for _, r := range v.Refused {
				if r.FirstAt.IsZero() || r.LastAt.IsZero() {
					t.Errorf("%+v has no time", r)
				}
				with := ""
				if !r.With.IsNobody() {
					with = map[id.Subject]string{u1: " u1", u2: " u2"}[r.With]
				}
				m[r.Reason+" "+r.Type+" "+r.Source+with] += r.Count
			}
			return m
		}
		w.restart()
		want := map[string]int64{"identity.two_user_ids email src_ie1_server u2": 1, "identity.two_user_ids user_id src_ie1_server u2": 2, "identity.claim_ignored email src_ie1_browser": 1, "identity.claim_ignored anonymous_id src_ie1_browser": 1}
		if got := refused(u1); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("refused links of u1: %v, want %v", got, want)
		}
		if got := refused(u2); got["identity.two_user_ids email src_ie1_server u1"] != 1 || got["identity.two_user_ids user_id src_ie1_server u1"] != 2 || len(got) != 2 {
			t.Errorf("refused links of u2: %v", got)
		}
		// The browser's own subject shows its claims as such.
		w.send(w.web, "/v1/identify", `{"anonymousId":"n2","messageId":"c2","traits":{"email":"stranger@example.com"}}`)
		if v := w.known(w.find(term.AnonymousID, "n2"))["email stranger@example.com claimed"]; !v.Claimed || v.Source != "src_ie1_browser" {
			t.Errorf("a claim is shown as %+v", w.known(w.find(term.AnonymousID, "n2")))
		}
		// Once one of them doesn't have the address any more, it is the other's.
		w.mustRetire(u2, plane.Identifier{Type: term.Email, Value: "family@example.com"})
		if _, alone := w.known(u1)["email family@example.com known"]; !alone || w.find(term.Email, "family@example.com") != u1 {
			t.Errorf("u1 is known by %+v", w.known(u1))
		}
		w.erase(u2)
		if got := refused(u1); len(got) != 2 {
			t.Errorf("an erased person is named: %v", got)
		}
		rows := 0
		if err := w.db.View(context.Background(), func(tx store.Tx) error {
			return tx.(sqlstore.Conn).Query(`SELECT 1 FROM refused_link WHERE tenant = 1 AND (subject = $1 OR other = $1)`, func(sqlstore.Row) error { rows++; return nil }, u2[:])
		}); err != nil || rows != 0 {
			t.Errorf("%d rows name the erased subject, %v", rows, err)
		}
	})
}

// TestAChangeOfNumberOnWhatsApp: the next holder of the number is somebody else.
func TestAChangeOfNumberOnWhatsApp(t *testing.T) {
	vendorWorlds(t, func(t *testing.T, w *world) {
		src := &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_whatsapp", Adapter: "whatsapp", Trust: term.Server}
		for _, name := range []string{"text", "number-changed"} {
			_, body := webhook(t, "../ingest/whatsapp/testdata/"+name+".json")
			w.accept(src, body, whatsapp.Decode, plane.Result{Accepted: 1})
		}
		s := w.find(meta.newNumber.Type, meta.newNumber.Value)
		if w.find(meta.oldID.Type, meta.oldID.Value) != s || w.find(meta.newID.Type, meta.newID.Value) != s {
			t.Error("the ids are not one person's")
		}
		w.mustBeNobody(meta.oldNumber)
		if v := w.known(s)["phone "+meta.oldNumber.Value+" retired"]; v.RetiredAt.Unix() != 1767607260 {
			t.Errorf("retired at %v, want when the message says", v.RetiredAt)
		}
		next := []byte(`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{
			"messages":[{"from":"447700900101","from_user_id":"IE.777","id":"wamid.NEXT","timestamp":"1767700000","type":"text","text":{"body":"who is this"}}]}}]}]}`)
		w.accept(src, next, whatsapp.Decode, plane.Result{Accepted: 1})
		other := w.find(meta.oldNumber.Type, meta.oldNumber.Value)
		if other == s {
			t.Fatal("the next holder of the number is the person before")
		}
		// What still comes about the person's old messages is theirs, and joins nobody.
		late := []byte(`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{
			"statuses":[{"id":"wamid.OLD","status":"read","timestamp":"1767700001","recipient_id":"447700900101","recipient_user_id":"IE.10000000000000000001"}]}}]}]}`)
		w.accept(src, late, whatsapp.Decode, plane.Result{Accepted: 1})
		if w.find(meta.oldNumber.Type, meta.oldNumber.Value) != other || w.find(meta.oldID.Type, meta.oldID.Value) != s {
			t.Error("a late status made one person of two")
		}
		w.erase(s)
		if w.opens("wamid.OLD") || !w.opens("wamid.NEXT") {
			t.Error("the erasure took the wrong records")
		}
	})
}

// TestTwoNodesAgreeOnWhoHasANumber: the other node's memory of it is gone with the change.
func TestTwoNodesAgreeOnWhoHasANumber(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		if w.url == "" {
			t.Skip("one process holds an embedded store")
		}
		other := w.second()
		w.send(w.nat, "", text("x1", oldNumber, -1))
		other.send(other.nat, "", text("x2", oldNumber, -1)) // now both have met the person
		s := w.find(term.Phone, oldNumber)
		other.mustRetire(s, phones(oldNumber)...)
		w.send(w.nat, "", text("x3", oldNumber, -1))
		if next := w.find(term.Phone, oldNumber); next == s || len(w.records(s)) != 2 {
			t.Error("a node that met the person gives them what is the next holder's")
		}
	})
}

func TestEntriesOfHandsHaveNoValues(t *testing.T) {
	w := newWorld(t, "")
	w.send(w.nat, "", text("x1", oldNumber, -1))
	s := w.find(term.Phone, oldNumber)
	v := w.mustRetire(s, phones(oldNumber)...)
	e, err := w.LedgerEntry(context.Background(), w.caller, v.Ledger.Entry)
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		Kind string
		Body map[string]any
	}
	if err := json.Unmarshal(e.Entry, &body); err != nil || body.Kind != "retire" || body.Body["subject"] != s.String() || fmt.Sprint(body.Body["types"]) != "[phone]" {
		t.Errorf("%s, %v", e.Entry, err)
	}
}

// TestPeopleWithoutANumberAreOneAfterAnIDChange, in whatever order the webhooks come.
func TestPeopleWithoutANumberAreOneAfterAnIDChange(t *testing.T) {
	change := func(field, value string) []byte {
		return []byte(`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"` + field + `","value":{` + value + `}}]}]}`)
	}
	bodies := [][]byte{
		change("messages", `"messages":[{"from_user_id":"IE.1","id":"wamid.OLD","timestamp":"1767600000","type":"text","text":{"body":"a"}}]`),
		change("messages", `"messages":[{"id":"wamid.SYSTEM","timestamp":"1767600001","type":"system","system":{"type":"user_changed_user_id","user_id":"IE.2"}}]`),
		change("user_id_update", `"user_id_update":[{"detail":"updated","user_id":{"previous":"IE.1","current":"IE.2"},"timestamp":"1767600001"}]`),
		change("messages", `"messages":[{"from_user_id":"IE.2","id":"wamid.NEW","timestamp":"1767600002","type":"text","text":{"body":"b"}}]`),
	}
	src := &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_whatsapp", Adapter: "whatsapp", Trust: term.Server}
	for i := range 24 {
		order := slices.Clone(bodies)
		for n, rest := 4, i; n > 1; n-- { // the i-th permutation
			order[n-1], order[rest%n] = order[rest%n], order[n-1]
			rest /= n
		}
		w := exampleWorld(t)
		for _, body := range order {
			w.accept(src, body, whatsapp.Decode, plane.Result{Accepted: 1})
		}
		s := w.find(term.WhatsAppID, "IE.1")
		if w.find(term.WhatsAppID, "IE.2") != s || len(w.records(s)) != 4 {
			t.Errorf("order %d: the ids are not one person's", i)
		}
		w.accept(src, bodies[2], whatsapp.Decode, plane.Result{Duplicate: 1})
		w.erase(s)
		if w.opens("wamid.OLD") || w.opens("wamid.NEW") || w.opens("IE.2") {
			t.Errorf("order %d: something opens", i)
		}
		w.close()
	}
}
