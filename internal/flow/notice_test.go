package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/pseudonym"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/vault"
)

// told are the notices that arrived, in order.
func (c *recipient) told() (out []flow.Delivery) {
	for _, d := range c.all() {
		if d.Kind != "" {
			out = append(out, d)
		}
	}
	return out
}

// notices are those of the tenant.
func (n *node) notices() []flow.Notice {
	n.t.Helper()
	all, err := n.runner.Notices(context.Background(), acme)
	if err != nil {
		n.t.Fatal(err)
	}
	return all
}

// keysLeft is how many notices can still be read.
func (n *node) keysLeft() (left int64) {
	n.t.Helper()
	if err := n.db.View(context.Background(), func(tx store.Tx) error {
		return tx.(sqlstore.Conn).Query(`SELECT count(*) FROM told_key`, func(r sqlstore.Row) error { left = r.Int(0); return nil })
	}); err != nil {
		n.t.Fatal(err)
	}
	return left
}

func (n *node) erase(phone string) (id.Subject, plane.Receipt) {
	n.t.Helper()
	s := n.find(phone)
	receipt, err := n.plane.Erase(context.Background(), acme, s, plane.EraseRequest{})
	if err != nil {
		n.t.Fatal(err)
	}
	return s, receipt
}

// sends starts the flow and waits until a message is there.
func (n *node) sends() {
	n.t.Helper()
	n.message("0", ann, bob)
	n.order(flow.Start, "0")
	n.until("the message is there", func() bool { return len(n.to.all()) == 1 && n.at().Batch == nil })
}

// toldOf is what a notice says.
func toldOf(t *testing.T, d *flow.Delivery) (kind string, subjects []string) {
	t.Helper()
	var x struct {
		Notice   string
		Subjects []string
		At       time.Time
	}
	if err := json.Unmarshal(d.Body, &x); err != nil || x.At.IsZero() || !strings.HasSuffix(string(d.Body), "\n") {
		t.Fatalf("notice %q: %v", d.Body, err)
	}
	return x.Notice, x.Subjects
}

func TestAnErasureIsSentOnToWhoHadTheData(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		r.to.answers(func(ctx context.Context, d *flow.Delivery) error {
			if d.Kind != "" {
				return n.enteredFirst(ctx, d)
			}
			return nil
		})
		n.sends()
		s, receipt := n.erase(ann)
		if all := n.notices(); len(all) != 1 || all[0].State != flow.NoticePending || all[0].Receipt != receipt.Receipt || all[0].Recipient != "sp-01" || all[0].Count != 1 {
			t.Fatalf("after the erasure: %+v", all)
		}
		if n.keysLeft() != 1 {
			t.Error("a pending notice has no key")
		}
		if other, err := n.runner.Notices(t.Context(), &tenant.Caller{Tenant: 2, TenantID: "other"}); err != nil || len(other) != 0 {
			t.Errorf("another tenant sees %v, %v", other, err)
		}
		r.soon("it is confirmed", func() bool { return n.notices()[0].State == flow.NoticeConfirmed })
		got := r.to.told()
		if len(got) != 1 {
			t.Fatalf("%d notices arrived", len(got))
		}
		if kind, subjects := toldOf(t, &got[0]); kind != "erasure" || !slices.Equal(subjects, []string{s.String()}) || got[0].Kind != "erasure" || got[0].ID != n.notices()[0].Text() || got[0].MinimumTLS != "1.3" {
			t.Errorf("notice %+v of %q %v", got[0], kind, subjects)
		}
		if n.keysLeft() != 0 {
			t.Error("the key of a confirmed notice is still there")
		}
		if _, err := n.plane.Erase(t.Context(), acme, s, plane.EraseRequest{}); err != nil || len(n.notices()) != 1 {
			t.Errorf("erased again: %v, %d notices", err, len(n.notices()))
		}
		n.ledgerHas("notice.confirmed", got[0].ID, receipt.Receipt)
	})
}

// ledgerHas fails unless the last entry on the first notice is of the kind and has the words in it.
func (n *node) ledgerHas(kind string, words ...string) {
	n.t.Helper()
	var v ledger.EntryView
	if err := n.db.View(context.Background(), func(tx store.Tx) (err error) { v, err = n.led.Entry(tx, n.notices()[0].Entry); return err }); err != nil {
		n.t.Fatal(err)
	}
	for _, w := range words {
		if v.Kind != kind || !strings.Contains(string(v.Entry), w) {
			n.t.Errorf("no %s in the entry %s %s", w, v.Kind, v.Entry)
		}
	}
	if strings.Contains(string(v.Entry), "sub_") || strings.Contains(string(v.Entry), "psn_") {
		n.t.Errorf("the entry names somebody: %s", v.Entry)
	}
}

func TestNobodyIsToldOfWhomTheyNeverHad(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil)
		n.message("0", ann, bob)
		n.erase(ann)
		if all := n.notices(); len(all) != 0 {
			t.Errorf("notices %+v", all)
		}
	})
}

func TestAPseudonymIsAllThatARecipientOfPseudonymsIsTold(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		r.mu.Lock()
		r.tenants[0].Pinned = true
		r.mu.Unlock()
		n := r.open(nil).run()
		n.sends()
		if d := r.to.all()[0]; d.Form != "pseudonymised" {
			t.Fatalf("form %s", d.Form)
		}
		s, _ := n.erase(ann)
		r.soon("it is confirmed", func() bool { return n.notices()[0].State == flow.NoticeConfirmed })
		d := r.to.told()[0]
		want := n.vault.Pseudonyms("acme", "sp-01", r.to.all()[0].Purpose).Subject(s).String()
		if _, subjects := toldOf(t, &d); !slices.Equal(subjects, []string{want}) {
			t.Errorf("told %v, want %s alone", subjects, want)
		}
	})
}

func TestANoticeIsTriedUntilItIsConfirmedAlsoOverARotation(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		var calls atomic.Int32
		r.to.answers(func(_ context.Context, d *flow.Delivery) error {
			if d.Kind != "" && calls.Add(1) < 4 {
				return fault.New(fault.Unavailable, "recipient.unavailable", "it is away")
			}
			return nil
		})
		n.sends()
		n.erase(ann)
		if _, err := n.vault.Rotate(t.Context(), r.now()); err != nil {
			t.Fatal(err)
		}
		r.soon("it is confirmed", func() bool { return n.notices()[0].State == flow.NoticeConfirmed })
		got := r.to.told()
		if len(got) != 4 || got[3].Attempt != 4 || n.notices()[0].Attempt != 4 {
			t.Errorf("%d attempts: %+v", len(got), n.notices())
		}
		entries := map[string]bool{}
		for _, d := range got {
			if d.ID != got[0].ID || string(d.Body) != string(got[0].Body) {
				t.Errorf("attempt %d is another: %+v", d.Attempt, d)
			}
			entries[d.Entry] = true
		}
		if len(entries) != 4 {
			t.Errorf("%d entries for 4 attempts", len(entries))
		}
	})
}

func TestANoticeThatNobodyTakesEnds(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer error
		state  flow.NoticeState
		leap   time.Duration
		least  int
	}{
		{"refused", fault.New(fault.Invalid, "recipient.refused", "no"), flow.NoticeRefused, 0, 1},
		{"unsupported", flow.NoNotices(), flow.NoticeUnsupported, 0, 1},
		{"expired", fault.New(fault.Unavailable, "recipient.unavailable", "later"), flow.NoticeExpired, 31 * 24 * time.Hour, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, r *region) {
				n := r.open(nil).run()
				r.to.answers(func(_ context.Context, d *flow.Delivery) error {
					if d.Kind != "" {
						return tt.answer
					}
					return nil
				})
				n.sends()
				n.erase(ann)
				r.leap(tt.leap)
				r.soon("it has ended", func() bool { return n.notices()[0].State == tt.state })
				if n.keysLeft() != 0 {
					t.Error("its key is still there")
				}
				before := len(r.to.told())
				if before < tt.least {
					t.Errorf("%d attempts", before)
				}
				r.leap(48 * time.Hour)
				time.Sleep(150 * time.Millisecond)
				if now := len(r.to.told()); now != before {
					t.Errorf("%d attempts after its end", now-before)
				}
				n.ledgerHas("notice."+string(tt.state), n.notices()[0].Text())
			})
		})
	}
}

func TestWhoeverIsErasedDuringADeliveryIsToldOfAfterIt(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		inside, once := make(chan struct{}), atomic.Bool{}
		r.to.answers(func(ctx context.Context, d *flow.Delivery) error {
			if d.Kind == "" && once.CompareAndSwap(false, true) {
				close(inside)
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		n.message("0", ann, bob)
		n.order(flow.Start, "0")
		<-inside
		s, _ := n.erase(ann)
		r.soon("it is confirmed", func() bool { return len(n.notices()) == 1 && n.notices()[0].State == flow.NoticeConfirmed })
		told := false
		for _, d := range r.to.all() {
			if d.Kind != "" {
				_, subjects := toldOf(t, &d)
				told = slices.Contains(subjects, s.String())
			} else if told && strings.Contains(string(d.Body), s.String()) {
				t.Error("something of the person arrived behind the notice")
			}
		}
		if !told {
			t.Error("nobody was told")
		}
	})
}

func TestWhicheverWriteFailsANoticeArrivesAndIsEnteredFirst(t *testing.T) {
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		t.Run(string(when), func(t *testing.T) {
			for step := 1; ; step++ {
				r := newRegion(t, "")
				var f *storetest.Faults
				n := r.open(func(db store.DB) store.DB { f = storetest.NewFaults(db); return f })
				r.to.answers(func(ctx context.Context, d *flow.Delivery) error {
					if d.Kind != "" {
						return n.enteredFirst(ctx, d)
					}
					return nil
				})
				n.run()
				n.sends()
				n.order(flow.Pause, "")
				n.erase(ann)
				f.FailAt(step, when)
				r.soon("it is confirmed", func() bool { r.leap(time.Second); return n.notices()[0].State == flow.NoticeConfirmed })
				fired := f.Fired()
				if len(r.to.told()) == 0 || n.keysLeft() != 0 {
					t.Errorf("step %d: %d arrived, %d keys are left", step, len(r.to.told()), n.keysLeft())
				}
				n.close()
				if !fired {
					if step < 3 {
						t.Fatalf("only %d writes were seen", step-1)
					}
					return
				}
			}
		})
	}
}

func TestTwoNodesTellOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		other := n.newRunner(n.db)
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); other.Run(ctx) }()
		defer func() { stop(); <-ended }()
		n.sends()
		n.erase(ann)
		r.soon("it is confirmed", func() bool { return n.notices()[0].State == flow.NoticeConfirmed })
		time.Sleep(200 * time.Millisecond)
		if got := r.to.told(); len(got) != 1 {
			t.Errorf("%d notices arrived", len(got))
		}
	})
}

func TestARestrictionAndACorrectionByHandAreToldToo(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		n.sends()
		s := n.find(ann)
		ctx := t.Context()
		for _, do := range []func() error{
			func() error { _, err := n.plane.Restrict(ctx, acme, s, ""); return err },
			func() error { _, err := n.plane.Unrestrict(ctx, acme, s, ""); return err },
			func() error {
				_, err := n.plane.Link(ctx, acme, s, []plane.Identifier{{Type: "email", Value: "ann@example.com"}})
				return err
			},
			func() error {
				_, err := n.plane.Link(ctx, acme, s, []plane.Identifier{{Type: "email", Value: "ann@example.com"}})
				return err
			},
		} {
			if err := do(); err != nil {
				t.Fatal(err)
			}
		}
		r.soon("all are confirmed", func() bool {
			return !slices.ContainsFunc(n.notices(), func(x flow.Notice) bool { return x.State != flow.NoticeConfirmed })
		})
		var kinds []string
		for _, d := range r.to.told() {
			kind, subjects := toldOf(t, &d)
			kinds = append(kinds, kind)
			if !slices.Equal(subjects, []string{s.String()}) {
				t.Errorf("%s of %v", kind, subjects)
			}
		}
		slices.Sort(kinds)
		if !slices.Equal(kinds, []string{"correction", "restriction", "restriction_lifted"}) {
			t.Errorf("kinds %v", kinds)
		}
	})
}

func TestARecipientIsToldOfWhatAFlowBroughtThatIsDeclaredNoMore(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil)
		n.message("0", ann, bob)
		s := n.find(ann)
		names := n.vault.Pseudonyms("acme", "sp-gone", "old_purpose")
		if err := n.db.Do(t.Context(), func(tx store.Tx) error {
			var row subject.Row
			if err := (sqlstore.Subjects{}).Rows(tx, []subject.Key{{Tenant: 1, Subject: s}}, func(x subject.Row) { row = x }); err != nil {
				return err
			}
			key, err := n.vault.Peek("acme", s, vault.Wrapped{Epoch: row.Epoch, Bytes: row.Wrapped})
			if err != nil {
				return err
			}
			t := pseudonym.Target{Region: "ie1", TenantID: "acme", Tenant: 1, Recipient: "sp-gone", Purpose: "old_purpose"}
			return errors.Join(pseudonym.Remember(tx, sqlstore.Pseudonyms{}, t, names, []pseudonym.Person{{Subject: s, Key: key}}, r.now()),
				sqlstore.Flows{}.PutReach(tx, []flow.Reach{{Tenant: 1, Recipient: "sp-gone", Flow: "gone", Form: "pseudonymised", Subject: s, At: 1},
					{Tenant: 1, Recipient: "sp-counts", Flow: "counts", Form: "aggregated", Subject: s, At: 1}}))
		}); err != nil {
			t.Fatal(err)
		}
		n.erase(ann)
		n.run()
		r.soon("it is confirmed", func() bool { return len(n.notices()) == 1 && n.notices()[0].State == flow.NoticeConfirmed })
		d := r.to.told()[0]
		if _, subjects := toldOf(t, &d); d.Recipient != "sp-gone" || !slices.Equal(subjects, []string{names.Subject(s).String()}) {
			t.Errorf("%s is told %v", d.Recipient, subjects)
		}
	})
}

func TestANoticeIsWrittenWithTheErasureOrNotAtAll(t *testing.T) {
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		eachStore(t, func(t *testing.T, r *region) {
			n := r.open(nil).run()
			n.sends()
			s := n.find(ann)
			f := storetest.NewFaults(n.db)
			parts := n.plane.Parts
			parts.DB = f
			n.plane.Close()
			n.plane = plane.New(parts, plane.Options{Now: r.now})
			f.FailAt(1, when)
			_, err := n.plane.Erase(t.Context(), acme, s, plane.EraseRequest{})
			gone := 0
			if err := n.db.View(t.Context(), func(tx store.Tx) error {
				return sqlstore.Subjects{}.Tombs(tx, []subject.Key{{Tenant: 1, Subject: s}}, func(subject.Tomb) { gone++ })
			}); err != nil {
				t.Fatal(err)
			}
			if !f.Fired() || len(n.notices()) != gone || int(n.keysLeft()) != gone {
				t.Errorf("%s: %v; erased %d, %d notices, %d keys", when, err, gone, len(n.notices()), n.keysLeft())
			}
			if _, err := n.plane.Erase(t.Context(), acme, s, plane.EraseRequest{}); err != nil || len(n.notices()) != 1 {
				t.Errorf("asked again: %v, %d notices", err, len(n.notices()))
			}
		})
	}
}
