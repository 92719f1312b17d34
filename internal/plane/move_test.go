package plane_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/residency"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/storetest"
	"domicile.dev/internal/store/storetest/pgtest"
	"domicile.dev/internal/tenant"
)

// regions are two regions with the same tenant.
type regions struct{ ie, us *world }

func eachPair(t *testing.T, fn func(t *testing.T, r regions)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, newRegions(t, "", "")) })
	t.Run("postgres", func(t *testing.T) { fn(t, newRegions(t, pgtest.URL(t), pgtest.URL(t))) })
}

func newRegions(t testing.TB, a, b string) regions {
	return regions{newRegion(t, a, "ie1"), newRegion(t, b, "us1")}
}

// carry moves s as the command line does: it asks where things stand, and does what is next. It may be
// called again after any error.
func (r regions) carry(s id.Subject) (plane.Activated, error) { return carry(r.ie, r.us, s) }

func carry(from, to *world, s id.Subject) (out plane.Activated, err error) {
	ctx := context.Background()
	a, err := to.OpenMove(ctx, to.caller, from.region)
	if err != nil {
		return out, err
	}
	l, err := from.BeginMove(ctx, from.caller, s, to.region, a.Move, a.Public)
	if fault.ReasonOf(err) == plane.RefusedMoved { // it was done, and what followed isn't known
		f, _ := fault.As(err)
		status, err := from.MoveStatus(ctx, from.caller, f.Extra["move"].(string))
		if err != nil {
			return out, err
		}
		return to.ActivateMove(ctx, to.caller, status.Move, status.Departed.Proof)
	}
	if err != nil {
		return out, err
	}
	st, err := to.MoveStatus(ctx, to.caller, l.Move)
	if err != nil {
		return out, err
	}
	if st.Pages == 0 {
		if st.Arriving, err = to.TakePage(ctx, to.caller, l.Move, 0, l.Hello); err != nil {
			return out, err
		}
	}
	for range 3 {
		for more := true; more; {
			page, err := from.MovePage(ctx, from.caller, l.Move, st.Pages, st.Next)
			if err != nil {
				return out, err
			}
			if more = page.More; page.Next == st.Next {
				break
			}
			if st.Arriving, err = to.TakePage(ctx, to.caller, l.Move, st.Pages, page.Sealed); err != nil {
				return out, err
			}
		}
		if err := carryMedia(from, to, l.Move); err != nil {
			return out, err
		}
		person, err := from.MovePerson(ctx, from.caller, l.Move)
		if err != nil {
			return out, err
		}
		ack, err := to.Arrive(ctx, to.caller, l.Move, person)
		if err != nil {
			return out, err
		}
		d, err := from.CommitMove(ctx, from.caller, ack)
		if fault.ReasonOf(err) == "move.behind" {
			continue
		}
		if err != nil {
			return out, err
		}
		return to.ActivateMove(ctx, to.caller, l.Move, d.Proof)
	}
	return out, errors.New("never caught up")
}

// carryMedia brings over the recordings and attachments that are missing.
func carryMedia(from, to *world, move string) error {
	ctx := context.Background()
	list, _, err := from.MoveMedia(ctx, from.caller, move, nil)
	if err != nil || len(list) == 0 {
		return err
	}
	missing, err := to.MissingMedia(ctx, to.caller, move, list)
	if err != nil {
		return err
	}
	for _, m := range missing {
		if err := carryMedium(from, to, move, m); err != nil {
			return err
		}
	}
	return nil
}

func carryMedium(from, to *world, move string, m plane.MediumAt) error {
	sealed, err := sealedMedium(from, move, m)
	if err != nil {
		return err
	}
	return to.TakeMedium(context.Background(), to.caller, move, m.Record, m.N, bytes.NewReader(sealed))
}

func sealedMedium(from *world, move string, m plane.MediumAt) ([]byte, error) {
	out, err := from.MoveMedium(context.Background(), from.caller, move, m.Record, m.N)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	var sealed bytes.Buffer
	err = out.Send(&sealed)
	return sealed.Bytes(), err
}

// settled makes somebody with records of several kinds, a claim and another person beside them.
func settled(w *world) id.Subject {
	w.send(w.src, "/v1/track", `{"anonymousId":"n1","messageId":"m0","event":"Viewed"}`)
	w.send(w.src, "/v1/identify", `{"userId":"u1","anonymousId":"n1","messageId":"m1","traits":{"email":"a@example.com","phone":"+353831234567"}}`)
	for i := range 120 { // more than a page
		w.send(w.src, "/v1/track", track("u1", fmt.Sprintf("t%d", i), "Paid"))
	}
	w.send(w.nat, "", oneLine(message("n-1", "+353831234567", "sender", "+353831234999", "recipient", "Hello")))
	s := w.find("user_id", "u1")
	w.tell(s, consent.Consent("ads"), consent.Given)
	w.tell(s, consent.OptOut("marketing"), consent.Out)
	return s
}

const settledRecords = 123

// atHome fails t unless the person is at home in w alone, whole, and the other region says so.
func atHome(t *testing.T, w, other *world) {
	t.Helper()
	ctx := context.Background()
	for typ, value := range map[string]string{"user_id": "u1", "email": "a@example.com", "anonymous_id": "n1", "phone": "+353831234567"} {
		_, err := other.Find(ctx, other.caller, []plane.Identifier{{Type: typ, Value: value}})
		if fault.KindOf(err) != fault.WrongRegion && fault.KindOf(err) != fault.NotFound {
			t.Errorf("find by %s in %s: %v", typ, other.region, err)
		}
	}
	s := w.find("user_id", "u1")
	w.wantSays("at home in "+w.region, s, "consent/ads=given opt_out/marketing=out")
	if n := w.history(s); n != 2 {
		t.Errorf("the history in %s has %d words, want 2", w.region, n)
	}
	for typ, value := range map[string]string{"email": "a@example.com", "anonymous_id": "n1", "phone": "+353831234567"} {
		if got := w.find(typ, value); got != s {
			t.Errorf("%s leads to %s in %s, want %s", typ, got, w.region, s)
		}
	}
	n := 0
	q := plane.Query{Limit: 100}
	seen := map[string]int{}
	for {
		p, err := w.Records(ctx, w.caller, s, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range p.Records {
			n++
			seen[v.ClientID]++
		}
		if q.After = p.Next; p.Next == "" {
			break
		}
	}
	if n != settledRecords || len(seen) != settledRecords || seen["m0"] != 1 || seen["n-1"] != 1 || seen["t119"] != 1 {
		t.Errorf("%d records of %d client ids in %s, want %d", n, len(seen), w.region, settledRecords)
	}
}

func TestAPersonMoves(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		ctx := context.Background()
		s := settled(r.ie)
		before := r.ie.records(s)[0]
		done, err := r.carry(s)
		if err != nil {
			t.Fatal(err)
		}
		if done.Records != settledRecords || done.Subject == s {
			t.Errorf("%+v", done)
		}
		atHome(t, r.us, r.ie)
		after := r.us.records(done.Subject)[0]
		if after.ClientID != before.ClientID || string(after.Data) != `{"body":"Hello","from":"+353831234567","status":"sent"}` || !after.ReceivedAt.Equal(before.ReceivedAt) ||
			!after.OccurredAt.Equal(before.OccurredAt) || after.Service != "messaging" {
			t.Errorf("%s became %+v", before.Data, after)
		}
		for what, err := range map[string]error{
			"read":  second(r.ie.Records(ctx, r.ie.caller, s, plane.Query{Limit: 1})),
			"show":  second(r.ie.Subject(ctx, r.ie.caller, s)),
			"erase": second(r.ie.Erase(ctx, r.ie.caller, s, plane.EraseRequest{})),
			"hold":  second(r.ie.Hold(ctx, r.ie.caller, s, "", time.Time{})),
			"find":  second(r.ie.Find(ctx, r.ie.caller, []plane.Identifier{{Type: "email", Value: "A@example.com"}})),
			"move":  second(r.ie.BeginMove(ctx, r.ie.caller, s, "us1", "mov_us1_aaaaaaaaaaaaaaaaaaaaaaaa", someKey(t, r.us))),
		} {
			wantKind(t, what, err, fault.WrongRegion, "subject.moved")
			if f, ok := fault.As(err); !ok || f.Extra["url"] != "https://us1.example.com" || f.Extra["region"] != "us1" {
				t.Errorf("%s: no address in %+v", what, f)
			}
		}
		refused := ingest.Refusal{Reason: "subject.moved", Region: "us1", URL: "https://us1.example.com"}
		for _, restarted := range []bool{false, true} {
			if restarted {
				r.ie.restart()
				r.us.restart()
			}
			for what, res := range map[string]plane.Result{
				"late retry":     r.ie.send(r.ie.src, "/v1/track", track("u1", "t5", "Paid")),
				"new event":      r.ie.send(r.ie.src, "/v1/track", track("u1", "new"+fmt.Sprint(restarted), "Paid")),
				"by the browser": r.ie.send(r.ie.web, "/v1/track", `{"anonymousId":"n1","messageId":"x1","event":"Viewed"}`),
				"identify":       r.ie.send(r.ie.src, "/v1/identify", `{"userId":"u7","messageId":"x2","traits":{"email":"a@example.com"}}`),
			} {
				if len(res.Refused) != 1 || res.Refused[0] != refused {
					t.Errorf("%s at the old home: %+v", what, res)
				}
			}
			// At the new home a retry is a duplicate, by whatever source it comes, and the rest is taken.
			for what, res := range map[string]plane.Result{
				"by a server":  r.us.send(r.us.src, "/v1/track", track("u1", "t5", "Paid")),
				"by a browser": r.us.send(r.us.web, "/v1/track", `{"anonymousId":"n1","messageId":"m0","event":"Viewed"}`),
				"native":       r.us.send(r.us.nat, "", oneLine(message("n-1", "+353831234567", "sender", "+353831234999", "recipient", "Hello"))),
			} {
				if res.Duplicate != 1 || len(res.Refused) != 0 {
					t.Errorf("retry %s at the new home: %+v", what, res)
				}
			}
		}
		if res := r.us.send(r.us.src, "/v1/track", track("u1", "new", "Paid")); res.Accepted != 1 {
			t.Errorf("new event at the new home: %+v", res)
		}
		if n := len(r.us.records(r.us.find("user_id", "u1"))); n != 100 {
			t.Errorf("%d records on the first page", n)
		}
		// The other person of the message is where they were, and the message without who moved.
		other := r.ie.records(r.ie.find("phone", "+353831234999"))
		if len(other) != 1 || strings.Contains(string(other[0].Data), "4567") || strings.Contains(string(other[0].Data), "Hello") {
			t.Errorf("what is left of the message: %+v", other)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func someKey(t *testing.T, w *world) []byte {
	t.Helper()
	a, err := w.OpenMove(context.Background(), w.caller, "ie1")
	if err != nil {
		t.Fatal(err)
	}
	return a.Public
}

// Until the source has committed, the target shows nothing of the person, whatever is asked.
func TestNobodySeesWhoArrives(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		ctx := context.Background()
		s := settled(r.ie)
		a, _, ack := r.upToCommit(t, s)
		atHome(t, r.ie, r.us)
		for what, err := range map[string]error{
			"read":         second(r.us.Records(ctx, r.us.caller, a.Subject, plane.Query{Limit: 1})),
			"show":         second(r.us.Subject(ctx, r.us.caller, a.Subject)),
			"restrict":     second(r.us.Restrict(ctx, r.us.caller, a.Subject, "")),
			"erase":        second(r.us.Erase(ctx, r.us.caller, a.Subject, plane.EraseRequest{})),
			"find":         second(r.us.Find(ctx, r.us.caller, []plane.Identifier{{Type: "user_id", Value: "u1"}})),
			"export":       second(r.us.Export(ctx, r.us.caller, a.Subject, "", func(plane.RecordView) error { return nil })),
			"move onwards": second(r.us.BeginMove(ctx, r.us.caller, a.Subject, "ie1", "mov_ie1_aaaaaaaaaaaaaaaaaaaaaaaa", someKey(t, r.us))),
		} {
			wantKind(t, what, err, fault.NotFound, "subject.unknown")
		}
		_, err := r.us.RecordsByClientID(ctx, r.us.caller, "t5", "")
		wantKind(t, "by client id", err, fault.NotFound, "record.unknown")
		_, err = r.us.ActivateMove(ctx, r.us.caller, a.Move, make([]byte, 32))
		wantKind(t, "activate without proof", err, fault.Conflict, "move.bad_proof")
		_, err = r.us.CancelMove(ctx, r.us.caller, a.Move, nil)
		wantKind(t, "cancel without proof", err, fault.Conflict, "move.bad_proof")
		// Whoever carries can't make the target's word.
		forged := ack
		forged.Next = ""
		_, err = r.ie.CommitMove(ctx, r.ie.caller, forged)
		wantKind(t, "forged", err, fault.Conflict, "move.bad_ack")
		// The person can't be erased while a copy is about; the move is called off first.
		_, err = r.ie.Erase(ctx, r.ie.caller, s, plane.EraseRequest{})
		wantKind(t, "erase who is about to leave", err, fault.Conflict, "move.under_way")
		proof, err := r.ie.CancelMove(ctx, r.ie.caller, a.Move, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.ie.CommitMove(ctx, r.ie.caller, ack)
		wantKind(t, "commit what was called off", err, fault.Conflict, "move.wrong_state")
		for range 2 {
			if _, err := r.us.CancelMove(ctx, r.us.caller, a.Move, proof); err != nil {
				t.Fatal(err)
			}
		}
		_, err = r.us.ActivateMove(ctx, r.us.caller, a.Move, proof)
		wantKind(t, "activate what was called off", err, fault.Conflict, "move.wrong_state")
		atHome(t, r.ie, r.us)
		if err := r.us.SweepOnce(ctx, r.us.now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.carry(s); err != nil { // another time
			t.Fatal(err)
		}
		atHome(t, r.us, r.ie)
	})
}

// upToCommit carries s up to where only the source's commit is missing.
func (r regions) upToCommit(t *testing.T, s id.Subject) (plane.Arriving, plane.Leaving, plane.Ack) {
	t.Helper()
	ctx := context.Background()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	a, err := r.us.OpenMove(ctx, r.us.caller, "ie1")
	must(err)
	l, err := r.ie.BeginMove(ctx, r.ie.caller, s, "us1", a.Move, a.Public)
	must(err)
	a, err = r.us.TakePage(ctx, r.us.caller, l.Move, 0, l.Hello)
	must(err)
	for more := true; more; {
		page, err := r.ie.MovePage(ctx, r.ie.caller, l.Move, a.Pages, a.Next)
		must(err)
		more = page.More
		for range 2 { // a page that comes twice is there once
			a, err = r.us.TakePage(ctx, r.us.caller, l.Move, a.Pages-a.Pages+uint32(pageOf(a, page)), page.Sealed)
			must(err)
		}
	}
	must(carryMedia(r.ie, r.us, l.Move))
	person, err := r.ie.MovePerson(ctx, r.ie.caller, l.Move)
	must(err)
	ack, err := r.us.Arrive(ctx, r.us.caller, l.Move, person)
	must(err)
	again, err := r.us.Arrive(ctx, r.us.caller, l.Move, person)
	if must(err); again.Entry != ack.Entry {
		t.Error("an arrival was entered twice")
	}
	return a, l, ack
}

// pageOf is the number of the page: that which comes next, or which came last when it ends there.
func pageOf(a plane.Arriving, p plane.SealedPage) int {
	if a.Next == p.Next {
		return int(a.Pages) - 1
	}
	return int(a.Pages)
}

// What comes in while the person is copied goes along.
func TestWhatComesMeanwhileGoesAlong(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		ctx := context.Background()
		s := settled(r.ie)
		_, _, ack := r.upToCommit(t, s)
		r.ie.send(r.ie.src, "/v1/track", track("u1", "late-1", "Paid"))
		_, err := r.ie.CommitMove(ctx, r.ie.caller, ack)
		wantKind(t, "with another record", err, fault.Conflict, "move.behind")
		if _, err := r.ie.Restrict(ctx, r.ie.caller, s, "disputed"); err != nil {
			t.Fatal(err)
		}
		done, err := r.carry(s)
		if err != nil {
			t.Fatal(err)
		}
		if done.Records != settledRecords+1 {
			t.Errorf("%d records came, want %d", done.Records, settledRecords+1)
		}
		v, err := r.us.Subject(ctx, r.us.caller, done.Subject)
		if err != nil || len(v.States) != 1 || v.States[0] != "restricted" || v.Reasons["restricted"] != "disputed" {
			t.Errorf("%+v, %v", v, err)
		}
		_, err = r.us.Records(ctx, r.us.caller, done.Subject, plane.Query{Limit: 1})
		wantKind(t, "read", err, fault.Forbidden, "subject.restricted")
	})
}

func TestWhoMayNotMove(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		ctx := context.Background()
		s := settled(r.ie)
		key := someKey(t, r.us)
		begin := func(to, move string, key []byte) error {
			return second(r.ie.BeginMove(ctx, r.ie.caller, s, to, move, key))
		}
		wantKind(t, "to where they are", begin("ie1", "mov_ie1_aaaaaaaaaaaaaaaaaaaaaaaa", key), fault.Invalid, "move.same_region")
		wantKind(t, "nowhere", begin("au1", "mov_au1_aaaaaaaaaaaaaaaaaaaaaaaa", key), fault.Invalid, "move.unknown_region")
		wantKind(t, "another region's id", begin("us1", "mov_au1_aaaaaaaaaaaaaaaaaaaaaaaa", key), fault.Invalid, "move.bad_id")
		wantKind(t, "an id that says something", begin("us1", "mov_us1_ann@example.com", key), fault.Invalid, "move.bad_id")
		wantKind(t, "no key", begin("us1", "mov_us1_aaaaaaaaaaaaaaaaaaaaaaaa", key[1:]), fault.Invalid, "move.bad_key")
		if _, err := r.ie.Hold(ctx, r.ie.caller, s, "", time.Time{}); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "held", begin("us1", "mov_us1_aaaaaaaaaaaaaaaaaaaaaaaa", key), fault.Conflict, "hold.in_force")
		if _, err := r.ie.Release(ctx, r.ie.caller, s, ""); err != nil {
			t.Fatal(err)
		}
		free := r.ie.caller
		pinned := *free
		pinned.Settings = &residency.Settings{Pin: true}
		r.ie.caller = &pinned
		wantKind(t, "pinned", begin("us1", "mov_us1_aaaaaaaaaaaaaaaaaaaaaaaa", key), fault.Conflict, "tenant.pinned")
		r.ie.caller = free
		_, _, ack := r.upToCommit(t, s)
		if _, err := r.ie.Hold(ctx, r.ie.caller, s, "", time.Time{}); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "held meanwhile", second(r.ie.CommitMove(ctx, r.ie.caller, ack)), fault.Conflict, "hold.in_force")
		if _, err := r.ie.Release(ctx, r.ie.caller, s, ""); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "pinned meanwhile", second(r.ie.CommitMove(ctx, &pinned, ack)), fault.Conflict, "tenant.pinned")
		other := *r.ie.caller
		other.Tenant, other.TenantID = 2, "globex"
		wantKind(t, "somebody else's move", second(r.ie.CommitMove(ctx, &other, ack)), fault.NotFound, "move.unknown")
		atHome(t, r.ie, r.us)
		if _, err := r.ie.CommitMove(ctx, r.ie.caller, ack); err != nil {
			t.Errorf("the same acknowledgement, when nothing stands in the way: %v", err)
		}
	})
}

// Who joins the person meanwhile makes it another move.
func TestAMergeMeanwhileBeginsAnew(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		ctx := context.Background()
		s := settled(r.ie)
		a, _, ack := r.upToCommit(t, s)
		r.ie.send(r.ie.src, "/v1/track", `{"anonymousId":"n9","messageId":"j0","event":"Viewed"}`)
		r.ie.send(r.ie.src, "/v1/identify", `{"userId":"u1","anonymousId":"n9","messageId":"j1"}`)
		wantKind(t, "commit", second(r.ie.CommitMove(ctx, r.ie.caller, ack)), fault.Conflict, "move.changed")
		wantKind(t, "page", second(r.ie.MovePage(ctx, r.ie.caller, a.Move, 9, "")), fault.Conflict, "move.changed")
		proof, err := r.ie.CancelMove(ctx, r.ie.caller, a.Move, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.us.CancelMove(ctx, r.us.caller, a.Move, proof); err != nil {
			t.Fatal(err)
		}
		done, err := r.carry(s)
		if err != nil || done.Records != settledRecords+2 {
			t.Errorf("%+v, %v", done, err)
		}
		if got := r.us.find("anonymous_id", "n9"); got != done.Subject {
			t.Errorf("n9 leads to %s, want %s", got, done.Subject)
		}
	})
}

// Who is known at the target already becomes one person with who arrives.
func TestWhoArrivesMeetsThemselves(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		s := settled(r.ie)
		r.us.send(r.us.src, "/v1/identify", `{"userId":"u1","messageId":"here-1","traits":{"email":"b@example.com"}}`)
		r.us.send(r.us.src, "/v1/identify", `{"userId":"u2","messageId":"here-2","traits":{"phone":"+353831234567"}}`)
		done, err := r.carry(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, restarted := range []bool{false, true} {
			if restarted {
				r.us.restart()
			}
			for typ, value := range map[string]string{"user_id": "u1", "email": "a@example.com", "anonymous_id": "n1"} {
				if got := r.us.find(typ, value); got != done.Subject || r.us.find("email", "b@example.com") != got {
					t.Errorf("%s leads to %s, want %s", typ, got, done.Subject)
				}
			}
			_, err = r.us.Find(context.Background(), r.us.caller, []plane.Identifier{{Type: "phone", Value: "+353831234567"}})
			wantKind(t, "find by what two users have", err, fault.Conflict, "subject.ambiguous")
		}
	})
}

func TestThereAndBack(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		s := settled(r.ie)
		there, err := r.carry(s)
		if err != nil {
			t.Fatal(err)
		}
		back, err := carry(r.us, r.ie, there.Subject)
		if err != nil {
			t.Fatal(err)
		}
		if back.Records != settledRecords || back.Subject == s {
			t.Errorf("%+v", back)
		}
		for range 2 {
			atHome(t, r.ie, r.us)
			if res := r.ie.send(r.ie.src, "/v1/track", track("u1", "t5", "Paid")); res.Duplicate != 1 {
				t.Errorf("a retry at the old and new home: %+v", res)
			}
			if res := r.us.send(r.us.src, "/v1/track", track("u1", "t5", "Paid")); len(res.Refused) != 1 || res.Refused[0].Region != "ie1" {
				t.Errorf("a retry where they were in between: %+v", res)
			}
			if err := r.ie.SweepOnce(context.Background(), r.ie.now.Add(time.Hour)); err != nil { // clears what the first move left, and no more
				t.Fatal(err)
			}
		}
	})
}

// A move while both regions rotate their index keys: identifiers stand under two versions, and lead to
// the same people before and after.
func TestAMoveWhileIndexKeysRotate(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		ctx := context.Background()
		s := settled(r.ie)
		r.us.send(r.us.src, "/v1/identify", `{"userId":"u1","messageId":"here-1","traits":{"email":"b@example.com"}}`)
		for _, w := range []*world{r.ie, r.us} {
			if _, begun, err := w.RotateIndex(ctx, tenant.Operator); err != nil || !begun {
				t.Fatal(begun, err)
			}
		}
		done, err := r.carry(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, ended := range []bool{false, true} {
			for _, w := range []*world{r.ie, r.us} {
				if ended {
					if err := w.ReindexOnce(ctx); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got := r.us.find("email", "b@example.com"); got != done.Subject || r.us.find("phone", "+353831234567") != got {
				t.Errorf("ended %v: who was there before is %s, want %s", ended, got, done.Subject)
			}
			_, err := r.ie.Find(ctx, r.ie.caller, []plane.Identifier{{Type: "email", Value: "a@example.com"}})
			wantKind(t, "find at the old home", err, fault.WrongRegion, "subject.moved")
			if res := r.ie.send(r.ie.src, "/v1/track", track("u1", fmt.Sprint("late", ended), "Paid")); len(res.Refused) != 1 {
				t.Errorf("ended %v: an event at the old home: %+v", ended, res)
			}
			if res := r.us.send(r.us.src, "/v1/track", track("u1", "t5", "Paid")); res.Duplicate != 1 {
				t.Errorf("ended %v: a retry at the new home: %+v", ended, res)
			}
		}
	})
}

// Whoever was erased at the target and must not come back doesn't.
func TestASuppressedPersonDoesNotArrive(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		s := settled(r.ie)
		r.us.send(r.us.src, "/v1/identify", `{"userId":"u5","messageId":"e-1","traits":{"email":"a@example.com"}}`)
		if _, err := r.us.Erase(context.Background(), r.us.caller, r.us.find("user_id", "u5"), plane.EraseRequest{Suppress: true}); err != nil {
			t.Fatal(err)
		}
		_, err := r.carry(s)
		wantKind(t, "move", err, fault.Conflict, "subject.suppressed")
		if n := len(r.ie.records(s)); n != 100 {
			t.Errorf("%d records on the first page", n)
		}
	})
}

// A move that nobody carried on ends by itself, unless the source may have let go.
func TestStaleMovesEnd(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		ctx := context.Background()
		s := settled(r.ie)
		a, err := r.us.OpenMove(ctx, r.us.caller, "ie1")
		if err != nil {
			t.Fatal(err)
		}
		acked, _, ack := r.upToCommit(t, s)
		r.us.now = r.us.now.Add(8 * 24 * time.Hour)
		if err := r.us.SweepOnce(ctx, r.us.now); err != nil {
			t.Fatal(err)
		}
		for move, want := range map[string]plane.MoveState{a.Move: plane.MoveEnded, acked.Move: plane.MoveArrived} {
			if st, err := r.us.MoveStatus(ctx, r.us.caller, move); err != nil || st.State != want {
				t.Errorf("%+v, %v, want %s", st, err, want)
			}
		}
		d, err := r.ie.CommitMove(ctx, r.ie.caller, ack)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.us.ActivateMove(ctx, r.us.caller, acked.Move, d.Proof); err != nil {
			t.Fatal(err)
		}
		atHome(t, r.us, r.ie)
	})
}

// Whichever write fails, at whichever region, before or after it was written: the person is at home
// in one region at most at any time, and after another try whole in the target.
func TestAMoveIsWholeWhateverWriteFails(t *testing.T) {
	for _, tt := range []struct {
		store string
		every int // write that fails
	}{{"sqlite", 1}, {"postgres", 8}} {
		t.Run(tt.store, func(t *testing.T) { moveFails(t, tt.store, tt.every) })
	}
}

func moveFails(t *testing.T, engine string, every int) {
	for _, broken := range []string{"ie1", "us1"} {
		for _, when := range []storetest.When{storetest.Before, storetest.After} {
			t.Run(broken+" "+string(when), func(t *testing.T) {
				for step := 1; ; step += every {
					var urls [2]string
					if engine == "postgres" {
						urls[0], urls[1] = pgtest.URL(t), pgtest.URL(t)
					}
					r := newRegions(t, urls[0], urls[1])
					r.ie.send(r.ie.src, "/v1/identify", `{"userId":"u1","anonymousId":"n1","messageId":"m1","traits":{"email":"a@example.com"}}`)
					r.ie.send(r.ie.src, "/v1/track", track("u1", "t1", "Paid"))
					s := r.ie.find("user_id", "u1")
					w := map[string]*world{"ie1": r.ie, "us1": r.us}[broken]
					w.close()
					var f *storetest.Faults
					w.open(func(db store.DB) store.DB { f = storetest.NewFaults(db); return f })
					f.FailAt(step, when)
					_, err := r.carry(s)
					if !f.Fired() {
						if err != nil || step < 6 {
							t.Fatalf("without a fault, after %d writes: %v", step-1, err)
						}
						return
					}
					if err == nil {
						t.Fatalf("write %d failed and nobody was told", step)
					}
					homes := r.homes(t)
					if homes == "ie1 us1" {
						t.Fatalf("write %d: at home twice", step)
					}
					if step%2 == 0 { // with and without a restart in between
						r.ie.restart()
						r.us.restart()
					}
					if _, err := r.carry(s); err != nil {
						t.Fatalf("write %d: second try: %v", step, err)
					}
					if homes := r.homes(t); homes != "us1" {
						t.Fatalf("write %d: at home in %q", step, homes)
					}
					if n := len(r.us.records(r.us.find("user_id", "u1"))); n != 2 {
						t.Errorf("write %d: %d records, want 2", step, n)
					}
					r.ie.close()
					r.us.close()
				}
			})
		}
	}
}

func TestAMoveOnOneNodeHoldsOnTheOther(t *testing.T) {
	r := newRegions(t, pgtest.URL(t), pgtest.URL(t))
	ie2, us2 := r.ie.second(), r.us.second()
	s := settled(r.ie)
	for _, w := range []*world{ie2, us2} { // both know that nobody moved yet, and ie2 the person
		if res := w.send(w.src, "/v1/track", track("u1", "before", "Paid")); w.region == "us1" && res.Accepted != 1 {
			t.Fatalf("%+v", res)
		}
	}
	_, _, ack := r.upToCommit(t, s)
	_, err := ie2.Erase(context.Background(), ie2.caller, s, plane.EraseRequest{})
	wantKind(t, "erase who is about to leave, at the other node", err, fault.Conflict, "move.under_way")
	r.us.send(r.us.src, "/v1/track", track("u9", "between", "Paid")) // which looks whether anybody came yet
	d, err := ie2.CommitMove(context.Background(), ie2.caller, ack)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := us2.ActivateMove(context.Background(), us2.caller, ack.Move, d.Proof); err != nil {
		t.Fatal(err)
	}
	ie2, us2 = r.ie, r.us // what was asked of the others holds here
	if res := ie2.send(ie2.src, "/v1/track", track("u1", "after", "Paid")); len(res.Refused) != 1 || res.Refused[0].Region != "us1" {
		t.Errorf("an event at the other node of the old home: %+v", res)
	}
	_, err = ie2.Records(context.Background(), ie2.caller, s, plane.Query{Limit: 1})
	wantKind(t, "read at the other node", err, fault.WrongRegion, "subject.moved")
	if res := us2.send(us2.src, "/v1/track", track("u1", "t5", "Paid")); res.Duplicate != 1 {
		t.Errorf("a retry at the other node of the new home: %+v", res)
	}
	if res := us2.send(us2.src, "/v1/track", track("u1", "after", "Paid")); res.Accepted != 1 {
		t.Errorf("an event at the other node of the new home: %+v", res)
	}
	if n := len(us2.records(us2.find("email", "a@example.com"))); n != 100 {
		t.Errorf("%d records on the first page at the other node", n)
	}
}

// homes are the regions in which the person is found and read.
func (r regions) homes(t *testing.T) string {
	t.Helper()
	var in []string
	for _, w := range []*world{r.ie, r.us} {
		f, err := w.Find(context.Background(), w.caller, []plane.Identifier{{Type: "user_id", Value: "u1"}})
		if err != nil {
			continue
		}
		if _, err := w.Records(context.Background(), w.caller, f.Subject, plane.Query{Limit: 10}); err != nil {
			t.Fatalf("found in %s and not read: %v", w.region, err)
		}
		in = append(in, w.region)
	}
	return strings.Join(in, " ")
}
