package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
)

// ReasonNoNotices is the reason of the fault of a connector that has no way to tell its recipient.
const ReasonNoNotices = "destination.no_notices"

// NoNotices is the fault with which a connector answers a Delivery of a Kind that it has no way for.
func NoNotices() *fault.Error {
	return fault.New(fault.Unprocessable, ReasonNoNotices, "there is no way to tell this recipient of erasures").
		WithHint("tell them yourself")
}

// runNotices tells recipients what they have to be told, until ctx ends. Several nodes may: who begins
// an attempt puts the next one off in the same transaction.
func (r *Runner) runNotices(ctx context.Context) {
	tick := time.NewTicker(min(time.Second, 5*r.opt.Poll))
	defer tick.Stop()
	room := make(chan struct{}, mostTelling)
	var counted, ended time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := r.lookForNotices(ctx, room); err != nil && ctx.Err() == nil {
			r.log.Error("looking for what recipients are to be told failed, it will be tried again", "error", err)
		}
		if time.Since(ended) >= letGoEvery {
			ended = time.Now()
			if err := r.endKept(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("ending what was kept of people who moved failed, it will be tried again", "error", err)
			}
		}
		if time.Since(counted) >= countEvery {
			counted = time.Now()
			if err := r.countNotices(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("counting what recipients are to be told failed, it will be tried again", "error", err)
			}
		}
	}
}

func (r *Runner) lookForNotices(ctx context.Context, room chan struct{}) error {
	var due []Notice
	if err := r.DB.View(ctx, func(tx store.Tx) (err error) {
		due, err = r.Store.DueNotices(tx, r.now().UnixMilli(), mostTelling)
		return err
	}); err != nil {
		return fmt.Errorf("look for notices: %w", err)
	}
	for i := range due {
		select {
		case room <- struct{}{}:
		default:
			return nil
		}
		r.work.Add(1)
		go func() {
			defer r.work.Done()
			defer func() { <-room }()
			if err := r.tellOne(ctx, &due[i]); err != nil && ctx.Err() == nil {
				r.log.Error("a notice is stuck, it will be tried again", "notice", due[i].Text(), "error", err)
			}
		}()
	}
	return nil
}

// tellOne makes one attempt at a notice: its entry first, then the bytes, then the outcome.
func (r *Runner) tellOne(ctx context.Context, due *Notice) error {
	if r.now().UnixMilli() >= due.ExpiresAt {
		return r.settle(ctx, due, NoticeExpired, due.Error)
	}
	conn, err := r.connector(ctx, due.Recipient)
	if err != nil {
		return r.putOff(ctx, due, due.Attempt, err)
	}
	n, key, err := r.beginNotice(ctx, due)
	if n == nil || err != nil {
		return err
	}
	d, err := r.noticeDelivery(n, key)
	if err != nil {
		return r.putOff(ctx, n, n.Attempt, err)
	}
	within, cancel := context.WithTimeout(ctx, r.opt.Timeout)
	err = conn.Deliver(within, d)
	cancel()
	switch {
	case err == nil:
		return r.settle(ctx, n, NoticeConfirmed, "")
	case fault.ReasonOf(err) == ReasonNoNotices:
		return r.settle(ctx, n, NoticeUnsupported, ReasonNoNotices)
	case forGood(err):
		return r.settle(ctx, n, NoticeRefused, reasonOf(err))
	}
	return r.putOff(ctx, n, n.Attempt, err)
}

// noticeEntry is the ledger's entry on an attempt at a notice, or its end.
type noticeEntry struct {
	Notice      string `json:"notice"`
	Kind        string `json:"kind"`
	Recipient   string `json:"recipient"`
	Receipt     string `json:"receipt"`
	Identifiers int    `json:"identifiers"`
	Attempt     int    `json:"attempt"`
	Reason      string `json:"reason,omitempty"`
}

func (r *Runner) enterNotice(tx store.Tx, n *Notice, what, reason string) error {
	refs, err := r.Ledger.Append(tx, r.draft("notice."+what, r.tenantID(n.Tenant), noticeEntry{n.Text(), n.Kind, n.Recipient, n.Receipt, n.Count, n.Attempt, reason}))
	if err != nil {
		return fmt.Errorf("enter that %s is %s: %w", n.Text(), what, err)
	}
	n.Entry = refs[0].Entry
	return nil
}

// beginNotice enters an attempt and puts the next one off until this one is over. It returns nil when
// the notice isn't due any more: somebody else is at it.
func (r *Runner) beginNotice(ctx context.Context, due *Notice) (n *Notice, k *NoticeKey, err error) {
	err = r.DB.Do(ctx, func(tx store.Tx) error {
		n, k = nil, nil
		now, err := r.Store.Notice(tx, due.ID)
		if err != nil || now == nil || now.State != NoticePending || now.Attempt != due.Attempt || now.NextAt != due.NextAt {
			return err
		}
		if k, err = r.Store.NoticeKey(tx, due.ID); err != nil {
			return err
		}
		if k == nil {
			return fmt.Errorf("flow: %s has no key and isn't done", due.Text())
		}
		if waits, err := r.Store.WaitsForOlder(tx, due.ID); err != nil {
			return err
		} else if waits { // one correction at a time: the older one's end lets this one go
			k, now.NextAt = nil, min(r.now().Add(troubleWait).UnixMilli(), now.ExpiresAt)
			return r.Store.PutNotice(tx, now)
		}
		now.Attempt++
		now.NextAt = r.now().Add(r.opt.Timeout + noticeGrace).UnixMilli()
		if err := r.enterNotice(tx, now, "sending", ""); err != nil {
			return err
		}
		n = now
		return r.Store.PutNotice(tx, now)
	})
	if err != nil || n == nil {
		return nil, nil, err
	}
	r.Ledger.Committed()
	return n, k, nil
}

// noticeLine is what a recipient reads.
type noticeLine struct {
	Notice   string    `json:"notice"`
	Subjects []string  `json:"subjects"`
	At       time.Time `json:"at"`
}

func (r *Runner) noticeDelivery(n *Notice, k *NoticeKey) (*Delivery, error) {
	names, err := r.namesIn(n, k)
	if err != nil {
		return nil, err
	}
	at := time.UnixMilli(n.MadeAt).UTC()
	body, err := json.Marshal(noticeLine{n.Kind, names, at})
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", n.Text(), err)
	}
	return &Delivery{Kind: n.Kind, ID: n.Text(), Tenant: r.tenantID(n.Tenant), Region: r.Region, Recipient: n.Recipient, Entry: n.Entry.String(), Attempt: n.Attempt,
		Count: 1, BegunAt: at, DecidedAt: at, MinimumTLS: r.tlsFor(n.Recipient), Body: append(body, '\n')}, nil
}

// namesIn is what a notice says.
func (r *Runner) namesIn(n *Notice, k *NoticeKey) ([]string, error) {
	key, err := r.Vault.Peek("", n.ID, k.Wrapped)
	if err != nil {
		return nil, fmt.Errorf("open the key of %s: %w", n.Text(), err)
	}
	plain, err := seal.OpenBytes(key, r.noticeAD(n.ID), k.Sealed)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", n.Text(), err)
	}
	var what told
	if err := json.Unmarshal(plain, &what); err != nil {
		return nil, fault.New(fault.Internal, "notice.altered", "%s can't be read", n.Text())
	}
	return what.Subjects, nil
}

// tlsFor is the least that any flow to the recipient asks for.
func (r *Runner) tlsFor(recipient string) string {
	e := r.Rules.Engine()
	p := e.Programme()
	for i := range p.Flows {
		if f := &p.Flows[i]; f.To == recipient && f.From == r.Region {
			if f.MinimumTLS == "1.3" { // also while it is denied, when its decisions oblige to nothing
				return "1.3"
			}
			for _, a := range e.Answers(f.ID, r.now()) {
				for _, o := range a.Decision.Obligations {
					if o.Do == "minimum_tls" && slices.Contains(o.What, "1.3") {
						return "1.3"
					}
				}
			}
		}
	}
	return "1.2"
}

// settle ends a notice: its key goes in the transaction that says so.
func (r *Runner) settle(ctx context.Context, was *Notice, to NoticeState, reason string) error {
	if !slices.Contains(nextNotice[was.State], to) {
		return nil
	}
	done := false
	err := r.amend(ctx, was, func(tx store.Tx, n *Notice) error {
		n.State, n.Error, n.DoneAt = to, reason, r.now().UnixMilli()
		if err := r.enterNotice(tx, n, string(to), reason); err != nil {
			return err
		}
		done = true
		if err := r.Store.DropOpen(tx, n.ID); err != nil {
			return err
		}
		return r.Store.DropNoticeKey(tx, n.ID)
	})
	if err == nil && done {
		r.Ledger.Committed()
		r.metrics.notices.WithLabelValues(was.Kind, string(to)).Inc()
	}
	return err
}

// putOff notes why an attempt didn't do, and when the next one comes.
func (r *Runner) putOff(ctx context.Context, was *Notice, attempt int, cause error) error {
	wait := noticeMostWait
	if n := max(attempt-1, 0); n < 20 {
		wait = min(r.opt.BackOff<<n, noticeMostWait)
	}
	if fault.ReasonOf(cause) == "destination.none" {
		wait = max(wait, troubleWait)
	}
	wait = wait/2 + rand.N(wait/2+1)
	if f, ok := fault.As(cause); ok && f.RetryAfterSeconds > 0 {
		wait = max(wait, time.Duration(f.RetryAfterSeconds)*time.Second)
	}
	r.log.WarnContext(ctx, "a recipient was not told", "notice", was.Text(), "recipient", was.Recipient, "attempt", attempt, "reason", reasonOf(cause))
	return r.amend(ctx, was, func(_ store.Tx, n *Notice) error {
		n.Error, n.NextAt = reasonOf(cause), min(r.now().Add(wait).UnixMilli(), n.ExpiresAt)
		return nil
	})
}

// amend changes a notice unless somebody did meanwhile. A node that stops writes it all the same.
func (r *Runner) amend(ctx context.Context, was *Notice, edit func(tx store.Tx, n *Notice) error) error {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return r.DB.Do(within, func(tx store.Tx) error {
		n, err := r.Store.Notice(tx, was.ID)
		if err != nil || n == nil || n.State != NoticePending || n.Attempt != was.Attempt || n.NextAt != was.NextAt {
			return err
		}
		if err := edit(tx, n); err != nil {
			return err
		}
		return r.Store.PutNotice(tx, n)
	})
}
