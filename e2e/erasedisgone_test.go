package e2e

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// a person and the words that only their records hold.
type person struct {
	user, anonymous, email, phone string
	secret                        string
	messages                      []string
}

func newPerson(c *canaries) *person {
	return &person{user: c.text("user"), anonymous: c.text("anonymous"), email: c.email("email"), phone: c.phone("phone"), secret: c.text("secret")}
}

// live sends what makes p a person of several subject ids: events before sign-up, the sign-up,
// an alias and some messages, and an event through each other adapter of which r has a source. Who
// has message ids already uses the same again.
func (p *person) live(t testing.TB, r *region, c *canaries) {
	t.Helper()
	given := p.messages
	p.messages = nil
	id := func() string {
		n := len(p.messages)
		if n < len(given) {
			p.messages = append(p.messages, given[n])
		} else {
			p.messages = append(p.messages, c.text("messageId"))
		}
		return p.messages[n]
	}
	r.segment(t, "/v1/track", m{"anonymousId": p.anonymous, "event": "Seen", "messageId": id(), "properties": m{"secret": p.secret}})
	r.native(t, m{"id": id(), "kind": "message", "service": "messaging", "subjects": []m{{"type": "phone", "value": p.phone, "role": "sender"}}, "data": m{"body": p.secret}})
	r.segment(t, "/v1/identify", m{"userId": p.user, "anonymousId": p.anonymous, "messageId": id(), "traits": m{"email": p.email, "phone": p.phone, "secret": p.secret}})
	r.segment(t, "/v1/alias", m{"previousId": p.anonymous, "userId": p.user, "messageId": id(), "context": m{"secret": p.secret}})
	for range 20 {
		r.segment(t, "/v1/track", m{"userId": p.user, "event": "Bought", "messageId": id(), "properties": m{"secret": p.secret}})
	}
	for _, s := range senders[1:] {
		if r.Sources[s.adapter].ID == "" {
			continue
		}
		name := strings.TrimPrefix(id(), "wamid.") // of a repetition the node's name is given
		path, h, body := s.request(t, r, []said{{id: name, words: p.secret, user: p.user, email: p.email, phone: p.phone}})
		if a := r.send(t, "POST", path, h, body); a.status/100 != 2 {
			t.Fatalf("%s: %v", s.adapter, a)
		}
		p.messages[len(p.messages)-1] = s.named(name)
	}
}

// identifiers are the ways to ask for p.
func (p *person) identifiers() map[string]string {
	return map[string]string{"user_id": p.user, "anonymous_id": p.anonymous, "email": p.email, "phone": p.phone}
}

// mustBeGone asks for p in every way there is. subject is who p was.
func (p *person) mustBeGone(t testing.TB, r *region, subject, receipt string) {
	t.Helper()
	for typ, value := range p.identifiers() {
		if a := r.lookup(t, typ, value); a.status != 404 {
			t.Errorf("find by %s after the erasure: %v, want 404", typ, a)
		}
	}
	for _, path := range []string{"", "/records", "/records?kind=track&limit=1", "/export", "/export?format=ndjson", "/export?format=zip"} {
		a := r.api(t, "GET", "/subjects/"+subject+path, nil)
		if a.status != 410 {
			t.Errorf("GET …%s after the erasure: %v, want 410", path, a)
			continue
		}
		if pr := a.problem(t); pr.Receipt != receipt || pr.Reason != "" && pr.Reason != "subject.erased" {
			t.Errorf("GET …%s after the erasure: %v, want subject.erased with receipt %s", path, a, receipt)
		}
	}
	for _, verb := range []string{":restrict", ":unrestrict"} {
		if a := r.api(t, "POST", "/subjects/"+subject+verb, m{"reason": "request"}); a.status != 410 {
			t.Errorf("POST …%s after the erasure: %v, want 410", verb, a)
		}
	}
	for _, id := range p.messages {
		a := r.api(t, "GET", "/records/by-client-id/"+id, nil)
		if bytes.Contains(a.body, []byte(p.secret)) {
			t.Errorf("record by client id after the erasure still holds the person's words: %v", a)
		}
	}
}

// ErasedIsGone: when an erasure returns, no read brings the person back: not by any identifier,
// not by the subject id, not after a restart, not by a late retry, not while others read and
// write at the same time.
func TestErasedIsGone(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		ie1, c := w.region("ie1"), newCanaries()
		ie1.withCloudEvents(t)
		p, other := newPerson(c), newPerson(c)
		p.live(t, ie1, c)
		other.live(t, ie1, c)
		subject := ie1.find(t, "user_id", p.user)
		for typ, value := range p.identifiers() {
			if got := ie1.find(t, typ, value); got != subject {
				t.Fatalf("find by %s: %s, and by user_id: %s", typ, got, subject)
			}
		}
		if n := len(ie1.records(t, subject)); n != len(p.messages) {
			t.Fatalf("%d records of the person, want %d", n, len(p.messages))
		}

		first := ie1.erase(t, subject, false)
		if first.Already || first.Records != len(p.messages) {
			t.Errorf("the erasure answers %+v, want %d records and already false", first, len(p.messages))
		}
		p.mustBeGone(t, ie1, subject, first.Receipt)
		if again := ie1.erase(t, subject, false); !again.Already || again.Receipt != first.Receipt || !again.ErasedAt.Equal(first.ErasedAt) {
			t.Errorf("the second erasure answers %+v, want already true and the receipt of %+v", again, first)
		}
		if n := len(ie1.records(t, ie1.find(t, "email", other.email))); n != len(other.messages) {
			t.Errorf("%d records of somebody else, want %d", n, len(other.messages))
		}

		t.Run("a late retry is a duplicate", func(t *testing.T) {
			before := accepted(t, ie1)
			ie1.segment(t, "/v1/track", m{"userId": p.user, "event": "Bought", "messageId": p.messages[5], "properties": m{"secret": p.secret}})
			if n := accepted(t, ie1); n != before {
				t.Errorf("%d events more were accepted, want none", n-before)
			}
			p.mustBeGone(t, ie1, subject, first.Receipt)
		})
		t.Run("after kill -9 and a restart", func(t *testing.T) {
			w.kill()
			w.start()
			ie1 = w.region("ie1")
			p.mustBeGone(t, ie1, subject, first.Receipt)
		})
		t.Run("who comes back is somebody new", func(t *testing.T) {
			ie1.segment(t, "/v1/track", m{"userId": p.user, "event": "Back", "messageId": c.text("id")})
			back := ie1.find(t, "user_id", p.user)
			if back == subject {
				t.Error("the new events went to the erased subject")
			}
			if rs := ie1.records(t, back); len(rs) != 1 {
				t.Errorf("%d records of who came back, want 1", len(rs))
			}
		})
		t.Run("who is suppressed does not come back", func(t *testing.T) {
			ie1.erase(t, ie1.find(t, "email", other.email), true)
			ie1.segment(t, "/v1/identify", m{"userId": other.user, "messageId": c.text("id"), "traits": m{"email": other.email}})
			ie1.native(t, m{"id": c.text("id"), "kind": "message", "service": "messaging", "subjects": []m{{"type": "phone", "value": other.phone, "role": "sender"}}, "data": m{"body": "x"}})
			for typ, value := range other.identifiers() {
				if a := ie1.lookup(t, typ, value); a.status != 404 {
					t.Errorf("find by %s of somebody suppressed: %v, want 404", typ, a)
				}
			}
		})
		t.Run("under load", func(t *testing.T) { eraseUnderLoad(t, ie1, ie1, c) })
		t.Run("held persons stay", func(t *testing.T) { heldPersonsStay(t, ie1, c) })
	})
}

// eraseUnderLoad erases people at one node while another (or the same) reads them and takes
// more of their events. What begins after an erasure returned sees it.
func eraseUnderLoad(t *testing.T, erasing, serving *region, c *canaries) {
	for round := range 5 {
		p := newPerson(c)
		p.live(t, serving, c)
		subject := erasing.find(t, "user_id", p.user)
		var returned atomic.Bool
		ctx, stop := context.WithCancel(t.Context())
		var others sync.WaitGroup
		for range 4 {
			others.Go(func() {
				for ctx.Err() == nil {
					after := returned.Load() // before the request is sent
					a, err := serving.try("GET", "/api/v1/subjects/"+subject+"/records", bearer(serving.APIToken), nil)
					if err != nil {
						t.Error(err)
					} else if a.status != 410 && (after || a.status != 200) {
						t.Errorf("a read that began after the erasure returned (%v): %v", after, a)
					}
				}
			})
		}
		for i := range 4 {
			others.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					after := returned.Load()
					word := p.secret
					if after {
						word = "said-after"
					}
					serving.insist(t, "POST", "/v1/track", basic(serving.Sources["segment"].WriteKey), encode(t, m{"userId": p.user, "event": "More",
						"messageId": fmt.Sprintf("more-%s-%d-%d", p.anonymous, i, n), "properties": m{"secret": word}}))
				}
			})
		}
		pause(within(60 * time.Millisecond))
		got := erasing.erase(t, subject, false)
		returned.Store(true)
		for range 20 {
			if a := serving.api(t, "GET", "/subjects/"+subject+"/records", nil); a.status != 410 {
				t.Errorf("read after the erasure: %v, want 410", a)
			}
		}
		stop()
		others.Wait()
		for _, id := range p.messages {
			if a := serving.api(t, "GET", "/records/by-client-id/"+id, nil); bytes.Contains(a.body, []byte(p.secret)) {
				t.Errorf("round %d: a record from before the erasure is readable after it: %v", round, a)
			}
		}
		if got.Records < len(p.messages) {
			t.Errorf("round %d: the receipt names %d records, want at least %d", round, got.Records, len(p.messages))
		}
	}
}

func heldPersonsStay(t *testing.T, r *region, c *canaries) {
	p := newPerson(c)
	p.live(t, r, c)
	subject := r.find(t, "user_id", p.user)
	until := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	r.api(t, "POST", "/subjects/"+subject+":hold", m{"reason": "litigation", "until": until}).want(t, 200)
	a := r.api(t, "POST", "/subjects/"+subject+":erase", m{"reason": "request"}).want(t, 409)
	if !strings.Contains(string(a.body), "hold.in_force") {
		t.Errorf("erasure of a held person: %v, want hold.in_force", a)
	}
	if n := len(r.records(t, subject)); n != len(p.messages) {
		t.Errorf("%d records of a held person, want %d", n, len(p.messages))
	}
	r.api(t, "POST", "/subjects/"+subject+":release", m{"reason": "settled"}).want(t, 200)
	r.erase(t, subject, false)
}
