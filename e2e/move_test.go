package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// move is what `domicile subject move --json` says.
type move struct {
	Subject         string
	Records         int
	To              string
	UnrecoverableBy time.Time              `json:"unrecoverable_by"`
	In              struct{ Entry string } `json:"ledger_in"`
	Out             struct{ Entry string } `json:"ledger_out"`
}

// tryMove moves whoever has the e-mail, as the command line does.
func (w *world) tryMove(email, from, to string, more ...string) (mv move, errs string, code int) {
	w.t.Helper()
	out, errs, code := w.run("email "+email+"\n", append([]string{"subject", "move", "--up", w.dir, "--region", from, "--to", to, "--json"}, more...)...)
	if code == 0 {
		if err := json.Unmarshal([]byte(out), &mv); err != nil {
			w.t.Fatalf("domicile subject move answers %s: %v", out, err)
		}
	}
	return mv, errs, code
}

// traveller is somebody with records at a region, all of canaries.
type traveller struct {
	email, phone, user string
	bodies             []m // as they were sent, to be sent again
	native             m
}

func newTraveller(t *testing.T, r *region, c *canaries, records int) *traveller {
	t.Helper()
	p := &traveller{email: c.email("email"), phone: c.phone("phone"), user: c.text("userId")}
	p.bodies = append(p.bodies, m{"type": "identify", "userId": p.user, "messageId": c.text("messageId"),
		"traits": m{"email": p.email, "phone": p.phone, "name": c.odd("name"), c.text("key"): c.text("value")}})
	for range records {
		p.bodies = append(p.bodies, m{"type": "track", "event": c.text("event"), "userId": p.user, "messageId": c.text("messageId"),
			"properties": m{c.text("property"): c.text("value"), "n": c.number("number")}})
	}
	r.segment(t, "/v1/batch", m{"batch": p.bodies})
	p.native = m{"id": c.text("id"), "kind": "message", "service": "messaging", "subjects": []m{{"type": "phone", "value": p.phone, "role": "sender"}},
		"data": m{"body": c.text("body")}}
	r.native(t, p.native)
	return p
}

func (p *traveller) records() int { return len(p.bodies) + 1 }

// A person moves from ie1 to us1: read there whole, and here answered with the address, by whatever
// path. What is late is refused at the old home and a duplicate at the new one. No byte of a canary is
// in the clear anywhere, also while it moves, and both ledgers say what happened and verify.
func TestAPersonMoves(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		v := &visit{c: newCanaries(), seen: map[string][]byte{}, w: w}
		ie1, us1 := w.region("ie1"), w.region("us1")
		p := newTraveller(t, ie1, v.c, 150)
		stays := newTraveller(t, ie1, v.c, 3)
		old := ie1.find(t, "email", p.email)
		before := ie1.records(t, old)

		ie1.api(t, "PATCH", "/tenants/acme/settings", m{"pin": true}).want(t, 200)
		if _, errs, code := w.tryMove(p.email, "ie1", "us1"); code != 1 {
			t.Errorf("a pinned tenant's person: exit %d %s", code, errs)
		}
		ie1.api(t, "PATCH", "/tenants/acme/settings", m{"pin": false}).want(t, 200)
		ie1.api(t, "POST", "/subjects/"+old+":hold", m{}).want(t, 200)
		if _, errs, code := w.tryMove(p.email, "ie1", "us1"); code != 1 {
			t.Errorf("a held person: exit %d %s", code, errs)
		}
		ie1.api(t, "POST", "/subjects/"+old+":release", m{}).want(t, 200)

		mv, errs, code := w.tryMove(p.email, "ie1", "us1")
		if code != 0 || mv.Records != p.records() || mv.To != "us1" || mv.Subject == old || !mv.UnrecoverableBy.After(time.Now()) {
			t.Fatalf("exit %d, %+v\n%s", code, mv, errs)
		}
		after := us1.records(t, us1.find(t, "phone", p.phone))
		if us1.find(t, "user_id", p.user) != mv.Subject || len(after) != len(before) {
			t.Fatalf("%d records at the new home, were %d", len(after), len(before))
		}
		for i := range before {
			a, b := before[i], after[i]
			if a.ClientID != b.ClientID || a.Kind != b.Kind || !a.OccurredAt.Equal(b.OccurredAt) || !a.ReceivedAt.Equal(b.ReceivedAt) || !same(a.Data, b.Data) {
				t.Errorf("record %d is %s %s at the new home, was %s %s", i, b.ClientID, b.Data, a.ClientID, a.Data)
			}
		}

		// The old home sends everybody to the new one.
		for what, a := range map[string]answer{
			"find":    ie1.lookup(t, "email", p.email),
			"show":    ie1.api(t, "GET", "/subjects/"+old, nil),
			"records": ie1.api(t, "GET", "/subjects/"+old+"/records", nil),
			"export":  ie1.api(t, "GET", "/subjects/"+old+"/export?format=ndjson", nil),
			"erase":   ie1.api(t, "POST", "/subjects/"+old+":erase", m{}),
			"retry":   ie1.send(t, "POST", "/v1/track", basic(ie1.Sources["segment"].WriteKey), encode(t, p.bodies[5])),
			"new":     ie1.send(t, "POST", "/v1/track", basic(ie1.Sources["segment"].WriteKey), encode(t, m{"userId": p.user, "event": "x", "messageId": v.c.text("messageId")})),
		} {
			if q := a.want(t, 421).problem(t); q.Reason != "subject.moved" || q.URL != us1.URL {
				t.Errorf("%s at the old home: %v", what, a)
			}
		}
		for _, b := range p.bodies {
			if q := ie1.api(t, "GET", "/records/by-client-id/"+b["messageId"].(string), nil).want(t, 421).problem(t); q.Reason != "subject.moved" || q.URL != us1.URL {
				t.Errorf("by the client's id at the old home: %v", q)
			}
		}
		// What is late is a duplicate at the new one.
		dup := duplicates(t, us1)
		us1.segment(t, "/v1/batch", m{"batch": p.bodies})
		us1.native(t, p.native)
		if n := duplicates(t, us1) - dup; n != p.records() {
			t.Errorf("%d of %d retries are duplicates at the new home", n, p.records())
		}
		if n := len(us1.records(t, mv.Subject)); n != p.records() {
			t.Errorf("%d records after the retries, want %d", n, p.records())
		}
		if n := len(ie1.records(t, ie1.find(t, "email", stays.email))); n != stays.records() {
			t.Errorf("who stays has %d records, want %d", n, stays.records())
		}

		w.kill() // as it was on the disk at that moment
		w.start()
		ie1, us1 = w.region("ie1"), w.region("us1")
		ie1.lookup(t, "email", p.email).want(t, 421)
		if n := len(us1.records(t, us1.find(t, "email", p.email))); n != p.records() {
			t.Errorf("%d records after a restart, want %d", n, p.records())
		}
		for r, entry := range map[*region]string{ie1: mv.Out.Entry, us1: mv.In.Entry} {
			var e struct{ Entry struct{ Kind string } }
			r.api(t, "GET", "/ledger/entries/"+entry, nil).want(t, 200).into(t, &e)
			if want := map[*region]string{ie1: "move.out", us1: "move.in"}[r]; e.Entry.Kind != want {
				t.Errorf("the entry in %s is %s, want %s", r.ID, e.Entry.Kind, want)
			}
			if out, errs, code := w.run("", "ledger", "verify", "--up", w.dir, "--region", r.ID); code != 0 {
				t.Errorf("ledger verify in %s: exit %d\n%s%s", r.ID, code, out, errs)
			}
		}
		us1.erase(t, us1.find(t, "email", p.email), false)
		us1.lookup(t, "email", p.email).want(t, 404)

		hay, found := newHaystack(v.c.list), sightings{}
		for _, r := range w.up.Regions {
			hay.inTree(t, found, w.data(r))
		}
		if w.pg != nil {
			hay.inTree(t, found, w.pg.data)
		}
		v.searchOutside(t, hay, found)
		found.report(t)
	})
}

// same says whether two JSON documents are.
func same(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && fmt.Sprint(x) == fmt.Sprint(y)
}

func duplicates(t *testing.T, r *region) (n int) {
	t.Helper()
	var stats struct {
		Counts []struct {
			Outcome string
			Count   int
		}
	}
	r.api(t, "GET", "/stats", nil).want(t, 200).into(t, &stats)
	for _, c := range stats.Counts {
		if c.Outcome == "duplicate" {
			n += c.Count
		}
	}
	return n
}

// kill -9 of the regions at random moments of moves: the person is at home in one region at any time,
// and the same call brings the move to its end.
func TestAMoveSurvivesKill(t *testing.T) {
	kills := 5
	if soak {
		kills = 40
	}
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		c := newCanaries()
		p := newTraveller(t, w.region("ie1"), c, 400)
		from, to := "ie1", "us1"
		cut := 0
		for i := 0; i < kills; i++ {
			done := make(chan int)
			go func() { _, _, code := w.tryMove(p.email, from, to); done <- code }()
			pause(within(600 * time.Millisecond))
			w.kill()
			if code := <-done; code != 0 {
				cut++
			}
			w.start()
			if homes := p.homes(t, w); len(homes) > 1 {
				t.Fatalf("at home in %v", homes)
			}
			if mv, errs, code := w.tryMove(p.email, from, to); code != 0 || mv.Records != p.records() {
				t.Fatalf("the same call again: exit %d %+v %s", code, mv, errs)
			}
			if homes := p.homes(t, w); len(homes) != 1 || homes[0] != to {
				t.Fatalf("at home in %v, want %s", homes, to)
			}
			if n := len(w.region(to).records(t, w.region(to).find(t, "phone", p.phone))); n != p.records() {
				t.Fatalf("%d records after move %d, want %d", n, i+1, p.records())
			}
			from, to = to, from
		}
		t.Logf("%d of %d moves were cut short", cut, kills)
	})
}

// homes are the regions that find the person.
func (p *traveller) homes(t *testing.T, w *world) (ids []string) {
	t.Helper()
	for _, r := range w.up.Regions {
		switch a := r.lookup(t, "email", p.email); a.status {
		case 200:
			ids = append(ids, r.ID)
		case 404, 421:
		default:
			t.Errorf("find in %s: %v", r.ID, a)
		}
	}
	return ids
}

// Whoever carries a move may stop when the old home has let go: the old home tells the new one.
func TestAMoveEndsWithoutItsCourier(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		ie1, us1 := w.region("ie1"), w.region("us1")
		p := newTraveller(t, ie1, newCanaries(), 3)
		s := ie1.find(t, "email", p.email)
		step := func(r *region, method, path string, body any) (got m) {
			t.Helper()
			a := r.api(t, method, path, body)
			if a.status/100 != 2 {
				t.Fatalf("%s %s in %s: %v", method, path, r.ID, a)
			}
			a.into(t, &got)
			return got
		}
		opened := step(us1, "POST", "/moves", m{"from": "ie1"})
		id := opened["move"].(string)
		begun := step(ie1, "POST", "/subjects/"+s+":move", m{"to": "us1", "move": id, "public_key": opened["public_key"]})
		step(us1, "POST", "/moves/"+id+":take", m{"n": 0, "sealed": begun["hello"]})
		page := step(ie1, "GET", "/moves/"+id+"/page?n=1", nil)
		step(us1, "POST", "/moves/"+id+":take", m{"n": 1, "sealed": page["sealed"]})
		ack := step(us1, "POST", "/moves/"+id+":arrive", m{"sealed": step(ie1, "GET", "/moves/"+id+"/person", nil)["sealed"]})

		// Nobody but the old home can say that it let go.
		forged := encode(t, m{"tenant": "acme", "proof": make([]byte, 32)})
		for _, at := range []string{id, "mov_us1_nothing"} {
			if a := us1.send(t, "POST", "/moves/"+at+"/activate", nil, forged); a.status != 409 && a.status != 404 {
				t.Errorf("a forged proof is answered %v", a)
			}
		}
		us1.lookup(t, "email", p.email).want(t, 404)

		step(ie1, "POST", "/moves/"+id+":commit", ack)
		w.kill() // before the target was told, as a rule
		w.start()
		us1 = w.region("us1")
		w.eventually("the person is at home in us1", func() error {
			if a := us1.lookup(t, "email", p.email); a.status != 200 {
				return fmt.Errorf("%v", a)
			}
			return nil
		})
		if n := len(us1.records(t, us1.find(t, "user_id", p.user))); n != p.records() {
			t.Errorf("%d records, want %d", n, p.records())
		}
		w.eventually("the old home knows", func() error {
			if st := step(w.region("ie1"), "GET", "/moves/"+id, nil); st["state"] != "left" {
				return fmt.Errorf("%v", st)
			}
			return nil
		})
		if mv, errs, code := w.tryMove(p.email, "ie1", "us1"); code != 0 || mv.Records != p.records() {
			t.Errorf("the same call afterwards: exit %d %+v %s", code, mv, errs)
		}
	})
}
