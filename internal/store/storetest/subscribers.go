package storetest

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"domicile.dev/internal/flow"
	"domicile.dev/internal/id"
	"domicile.dev/internal/publish"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/vault"
)

func subscriberOf(n byte) *publish.Subscriber {
	return &publish.Subscriber{ID: id.Subject{n}, Channel: publish.Mail, Lists: publish.Notices | publish.SubProcessors, Blind: []byte{n}, Epoch: 1, Wrapped: []byte{n, 1}, Sealed: []byte{n, 2}, Language: "de",
		MadeAt: time.UnixMilli(int64(n) * 1000).UTC(), ConfirmedAt: time.UnixMilli(9000).UTC(), AskedAt: time.UnixMilli(8000).UTC()}
}

// testKeys walks the keys of persons, subscribers and notices in pages of every size.
func testKeys(t *testing.T, w *world) {
	const each = 4
	w.do(func(c sqlstore.Conn) error {
		for n := byte(1); n <= each; n++ {
			if err := (sqlstore.Publications{}).PutSubscriber(c, subscriberOf(n)); err != nil {
				return err
			}
			if err := (sqlstore.Flows{}).AddNotice(c, &flow.Notice{ID: id.Subject{n, 9}, Tenant: 1, State: flow.NoticePending}, flow.NoticeKey{Wrapped: vault.Wrapped{Epoch: 1, Bytes: []byte{n, 4}}}); err != nil {
				return err
			}
			if _, err := c.Exec(`INSERT INTO subject (tenant, subject, created_at, created_by, state, hold_until, head, key_epoch, wrapped) VALUES ($1, $2, 0, '', 0, 0, $2, 1, $3)`,
				1+int(n)%2, []byte{n, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, []byte{n, 3}); err != nil {
				return err
			}
		}
		return nil
	})
	var v sqlstore.Vaults
	for limit := 1; limit <= 3*each+1; limit++ {
		seen := map[string]int{}
		w.view(func(c sqlstore.Conn) error {
			p := vault.KeyPage{More: true}
			for pages := 0; p.More; pages++ {
				if pages > 3*each+2 {
					t.Fatalf("pages of %d never end", limit)
				}
				var err error
				if p, err = v.KeysBefore(c, 2, p.Tenant, p.Subject, limit); err != nil {
					return err
				}
				for _, r := range p.Rows {
					seen[fmt.Sprintf("%d %d %x", r.Tenant, r.Subject[0], r.Wrapped.Bytes)]++
				}
			}
			return nil
		})
		if len(seen) != 3*each {
			t.Errorf("pages of %d have %d keys, want %d", limit, len(seen), 3*each)
		}
		for k, n := range seen {
			if n != 1 {
				t.Errorf("pages of %d have the key of %s %d times", limit, k, n)
			}
		}
	}
	w.do(func(c sqlstore.Conn) error {
		return v.PutKeys(c, []vault.KeyRow{{Subject: id.Subject{2}, Wrapped: vault.Wrapped{Epoch: 2, Bytes: []byte("new")}}, {Tenant: 1, Subject: id.Subject{2}, Wrapped: vault.Wrapped{Epoch: 2, Bytes: []byte("new")}},
			{Subject: id.Subject{2, 9}, Wrapped: vault.Wrapped{Epoch: 2, Bytes: []byte("new")}},
			{Subject: id.Subject{99}, Wrapped: vault.Wrapped{Epoch: 2, Bytes: []byte("of somebody who left")}}})
	})
	w.view(func(c sqlstore.Conn) error {
		if n, err := v.CountBefore(c, 2); err != nil || n != 3*each-3 {
			t.Errorf("%d keys are left under the epoch before, %v; want %d", n, err, 3*each-3)
		}
		x, err := sqlstore.Publications{}.Subscriber(c, id.Subject{2})
		if err == nil && (x == nil || x.Epoch != 2 || !bytes.Equal(x.Wrapped, []byte("new"))) {
			t.Errorf("the subscriber became %+v", x)
		}
		if k, err := (sqlstore.Flows{}).NoticeKey(c, id.Subject{2, 9}); err != nil || k == nil || k.Wrapped.Epoch != 2 || !bytes.Equal(k.Wrapped.Bytes, []byte("new")) {
			t.Errorf("the notice's key became %+v, %v", k, err)
		}
		gone, err2 := sqlstore.Publications{}.Subscriber(c, id.Subject{99})
		if gone != nil {
			t.Error("a key came back with nobody")
		}
		if err == nil {
			err = err2
		}
		return err
	})
}

func testSubscriber(t *testing.T, w *world) {
	var p sqlstore.Publications
	at := time.UnixMilli(10_000).UTC()
	w.do(func(c sqlstore.Conn) error {
		for n := byte(1); n <= 3; n++ {
			if err := p.PutSubscriber(c, subscriberOf(n)); err != nil {
				return err
			}
		}
		mail, webhooks, err := p.QueueNews(c, 7, publish.Notices, at)
		if mail != 3 || webhooks != 0 {
			t.Errorf("%d letters and %d webhooks are queued", mail, webhooks)
		}
		if err != nil {
			return err
		}
		return p.Queue(c, publish.Message{Kind: "confirm", Subscriber: id.Subject{1}, Channel: publish.Mail, MadeAt: at})
	})
	w.do(func(c sqlstore.Conn) error {
		due, err := p.Due(c, at, true, 10)
		if len(due) != 4 || err != nil {
			t.Fatalf("%d are due, %v", len(due), err)
		}
		if none, err := p.Due(c, at, false, 10); len(none) > 0 || err != nil {
			t.Errorf("%d letters are due without a relay, %v", len(none), err)
		}
		if early, err := p.Due(c, at.Add(-time.Millisecond), true, 10); len(early) > 0 || err != nil {
			t.Errorf("%d are due too early, %v", len(early), err)
		}
		for _, m := range due {
			if m.N == 7 && m.Subscriber == (id.Subject{2}) {
				m.State, m.DoneAt, m.Digest, m.Attempts = "sent", at, []byte("digest"), 1
				if err := p.SetMessage(c, m); err != nil {
					return err
				}
			}
		}
		if err := p.DropSubscriber(c, id.Subject{1}, at); err != nil {
			return err
		}
		return p.DropSubscriber(c, id.Subject{2}, at)
	})
	w.view(func(c sqlstore.Conn) error {
		s, err := p.Subscriber(c, id.Subject{3})
		if s == nil || s.Language != "de" {
			t.Errorf("the language of a subscriber is lost: %+v, %v", s, err)
		}
		return err
	})
	states := map[byte]string{}
	w.view(func(c sqlstore.Conn) error {
		waiting, confirmed, err := p.CountSubscribers(c)
		if err != nil || waiting != 0 || confirmed != 1 {
			t.Errorf("%d wait and %d are confirmed, %v", waiting, confirmed, err)
		}
		if left, err := p.Left(c, 7); err != nil || !left {
			t.Errorf("the third's letter is not left, %v", err)
		}
		if due, err := p.Due(c, at, true, 10); len(due) != 1 || err != nil {
			t.Errorf("%d are due, %v", len(due), err)
		}
		return p.Messages(c, 7, func(m publish.Message) error { states[m.Subscriber[0]] = m.State; return nil })
	})
	if states[1] != "dropped" || states[2] != "sent" || states[3] != "queued" {
		t.Errorf("messages: %v", states)
	}
}
