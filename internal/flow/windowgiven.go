package flow

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
)

// Reasons for which a window is parked before an attempt at it.
const (
	reasonFull    = "form.window_full"    // too many people or cells for one window
	reasonChanged = "form.window_changed" // it may have arrived, and would be counted by other rules now
)

// parksWindow says whether err is about a window that will not be counted by itself.
func parksWindow(err error) bool {
	reason := fault.ReasonOf(err)
	return reason == reasonFull || reason == reasonChanged
}

// parkedWindow is the ledger's entry on a window that is parked before an attempt at it. It is about no
// decision: nothing was to move.
type parkedWindow struct {
	Flow     string       `json:"flow"`
	Delivery string       `json:"delivery"`
	Attempt  int          `json:"attempt"`
	Window   [2]time.Time `json:"window"`
	Reason   string       `json:"reason"`
}

// parkWindow parks a window as a batch that a recipient refuses: it is named, and nothing of it is kept.
// The cursor stays before its rows, since some of them can be of the next window.
func (r *Runner) parkWindow(ctx context.Context, q *question, st *stream, was *Stream, unfinished *Batch, b *built, cause error) error {
	fresh, reason := newDelivery(), reasonOf(cause)
	err := r.DB.Do(ctx, func(tx store.Tx) error {
		s, err := r.lead(tx, st.Key)
		if err != nil {
			return err
		}
		to, ok := s.State.After(park)
		if !ok || s.Pos != was.Pos || s.Window != was.Window {
			return errMoved
		}
		batch, err := r.Store.Batch(tx, st.Key)
		if err != nil {
			return err
		}
		now := r.now().UnixMilli()
		switch {
		case (batch == nil) != (unfinished == nil) || batch != nil && (batch.ID != unfinished.ID || batch.Attempt != unfinished.Attempt):
			return errMoved
		case batch != nil && batch.elsewhere(r.node, now):
			return errElsewhere
		case batch == nil:
			s.Seq++
			batch = &Batch{Key: st.Key, ID: fresh, Seq: s.Seq, BegunAt: now}
		}
		if batch.Attempt == 0 {
			batch.From, batch.To, batch.WindowFrom, batch.WindowUntil = b.from, b.from, b.windowFrom, b.windowUntil
		}
		x := parkedWindow{st.Flow, batch.ID, batch.Attempt, [2]time.Time{time.UnixMilli(batch.WindowFrom).UTC(), time.UnixMilli(batch.WindowUntil).UTC()}, reason}
		refs, err := r.Ledger.Append(tx, r.draft("flow.parked", q.tenant.ID, x))
		if err != nil {
			return fmt.Errorf("enter that %s is parked: %w", batch.ID, err)
		}
		s.State, s.Since, s.Reasons, s.Entry = to, now, "", refs[0].Entry
		return errors.Join(r.Store.PutBatch(tx, ended(batch, reason, 0)), r.Store.PutStream(tx, s))
	})
	if err != nil {
		return err
	}
	r.Ledger.Committed()
	r.metrics.attempts.WithLabelValues(st.Flow, "uncounted").Inc()
	r.log.WarnContext(ctx, "a window can't be counted and is parked", "flow", st.Flow, "tenant", q.tenant.ID, "from", time.UnixMilli(b.windowFrom).UTC(),
		"until", time.UnixMilli(b.windowUntil).UTC(), "reason", reason)
	return nil
}

// Mend says what an operator can do about a parked batch, "" about one that the recipient doesn't take.
func (b *Batch) Mend() string {
	switch b.Error {
	case reasonFull:
		return "the window has more people or cells than one can tell apart: give the flow a shorter window or fewer dimensions in the programme, then retry, or replay; skip goes on behind the window"
	case reasonChanged:
		return "the window may have arrived, and the programme or the decision counts otherwise by now: skip goes on behind it"
	}
	return ""
}

// A window that was counted is given as it was counted. The recipient may have what an attempt brought,
// also when it answered nothing; counted anew after somebody is erased, the difference of the two would
// be about them alone. So its lines are kept while it is unfinished: counts of enough people each, and
// sealed all the same. They go when it has arrived or is given up.

// keepLines seals the lines of a window with what they were counted by.
func (r *Runner) keepLines(q *question, batch *Batch, b *built) []byte {
	rules := countedBy(q)
	return seal.SealBytes(r.Vault.CountsKey(q.tenant.ID, batch.ID), []byte(batch.ID), append(rules[:], b.body...))
}

// asGiven gives b the lines that an earlier attempt had. Fault: Conflict form.window_changed when they
// aren't what would be allowed now.
func (r *Runner) asGiven(q *question, unfinished *Batch, b *built) error {
	if unfinished == nil || len(unfinished.Lines) == 0 || len(b.kinds) == 0 {
		return nil // with nobody left in it, it isn't given again
	}
	plain, err := seal.OpenBytes(r.Vault.CountsKey(q.tenant.ID, unfinished.ID), []byte(unfinished.ID), unfinished.Lines)
	rules := countedBy(q)
	if err != nil || len(plain) < len(rules) || !bytes.Equal(plain[:len(rules)], rules[:]) {
		return fault.New(fault.Conflict, reasonChanged, "a window of %s may have arrived and can't be given as it was", q.f.ID).Because(err)
	}
	b.body, b.lines = append(b.body[:0], plain[len(rules):]...), unfinished.Count
	return nil
}

// countedBy is a digest of what decides a window's numbers beside its records: the flow's declaration,
// and for each kind whether and how it may be counted.
func countedBy(q *question) [sha256.Size]byte {
	type kindRule struct {
		Service, Kind string
		Categories    []string
		Allowed       bool
		Obligations   []decision.Obligation
	}
	x := struct {
		To, Purpose string
		MinGroup    int
		Dimensions  []programme.Dimension
		Kinds       []kindRule
	}{q.f.To, q.f.Purpose, q.f.MinGroup, q.f.Dimensions, nil}
	for _, k := range q.kinds {
		d := q.decide(k, k.all(), &decision.Subject{Known: true, Consents: decision.Consented(q.f.Purpose)})
		x.Kinds = append(x.Kinds, kindRule{k.service, k.name, k.categories, d.Allowed, d.Obligations})
	}
	text, err := json.Marshal(x)
	if err != nil {
		panic(err) // words and numbers alone
	}
	return sha256.Sum256(text)
}
