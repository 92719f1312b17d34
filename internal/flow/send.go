package flow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// patience is how long what ends a delivery may take to be written.
const patience = 45 * time.Second

// send enters a batch, delivers it and notes how that went.
func (r *Runner) send(ctx context.Context, q *question, st *stream, s *Stream, unfinished *Batch, b *built, conn Connector) (outcome, error) {
	a := r.begin(ctx, st.Key, b.subjects)
	defer r.end(a)
	reach := st.unmet(r, q, b)
	batch, entry, seq, err := r.enter(ctx, q, st, s, unfinished, b, reach)
	if errors.Is(err, errAgain) {
		return outcome{again: true}, nil
	} else if err != nil {
		return outcome{}, err
	}
	st.met(r, q, b)
	r.Ledger.Committed()
	a.entered(r.now(), seq+1)
	d := &Delivery{ID: batch.ID, Flow: st.Flow, Tenant: q.tenant.ID, Region: r.Region, Recipient: q.f.To, Purpose: q.f.Purpose, Form: b.form.String(),
		Entry: entry.String(), Programme: q.engine.Programme().Hash, Seq: batch.Seq, Attempt: batch.Attempt, Count: b.lines, BegunAt: time.UnixMilli(batch.BegunAt).UTC(), DecidedAt: q.now.UTC(),
		MinimumTLS: minimumTLS(b), Body: b.body}
	err = a.deliver(conn, d, r.opt.Timeout)
	if part, ok := r.refusedOf(q, b, err); ok {
		b.refused, err = part, nil
	}
	switch {
	case err == nil:
		r.metrics.delivered(st.Flow, b)
		return outcome{again: true}, r.done(ctx, q, st, batch, b)
	case a.wasCut() || ctx.Err() != nil:
		r.metrics.attempts.WithLabelValues(st.Flow, "cut").Inc()
		return outcome{again: true}, r.cutShort(ctx, st.Key, batch)
	}
	r.metrics.attempts.WithLabelValues(st.Flow, "failed").Inc()
	return r.fail(ctx, st, s, batch, b, err)
}

// entryBody is the ledger's entry on one attempt at a batch.
type entryBody struct {
	Decision  string           `json:"decision"` // permit
	Flow      string           `json:"flow"`
	Region    string           `json:"region"`
	Recipient string           `json:"recipient"`
	Purpose   string           `json:"purpose"`
	Basis     string           `json:"legal_basis"`
	Form      string           `json:"form"`
	Kinds     []entryKind      `json:"kinds"`
	Programme string           `json:"programme"`
	Register  string           `json:"register,omitempty"`
	Rules     string           `json:"rules"`
	Delivery  string           `json:"delivery"`
	Seq       uint64           `json:"seq"`
	Attempt   int              `json:"attempt"`
	From      uint64           `json:"after_row"`
	To        uint64           `json:"to_row"`
	Window    *[2]time.Time    `json:"window,omitempty"`
	Records   int              `json:"records"`
	People    int              `json:"people,omitempty"`
	Denied    map[string]int64 `json:"denied,omitempty"`        // by code
	Digest    string           `json:"sealed_sha256,omitempty"` // over the sealed parts that were opened, in order
}

// entryKind is the decision on one kind of record.
type entryKind struct {
	Kind        string                `json:"kind"`
	Records     int                   `json:"records"`
	Mechanism   string                `json:"mechanism,omitempty"`
	Fallback    string                `json:"fallback,omitempty"`
	Obligations []decision.Obligation `json:"obligations"`
	Review      string                `json:"review,omitempty"`
}

// mostKinds bounds what an entry lists.
const mostKinds = 32

func (r *Runner) entryOf(q *question, b *built, batch *Batch) entryBody {
	d := b.kinds[0].d
	x := entryBody{Decision: "permit", Flow: q.f.ID, Region: r.Region, Recipient: q.f.To, Purpose: q.f.Purpose, Basis: d.Basis, Form: b.form.String(), Programme: d.Programme,
		Register: d.Register, Rules: d.Rules, Delivery: batch.ID, Seq: batch.Seq, Attempt: batch.Attempt, From: batch.From, To: batch.To, Records: b.lines, People: len(b.people)}
	for _, k := range b.kinds[:min(len(b.kinds), mostKinds)] {
		x.Kinds = append(x.Kinds, entryKind{k.kind.service + "/" + k.kind.name, k.n, k.d.Mechanism, k.d.Fallback, k.d.Obligations, string(k.d.Review)})
	}
	for _, n := range b.denied {
		if x.Denied == nil {
			x.Denied = map[string]int64{}
		}
		x.Denied[n.code] = n.n
	}
	if batch.WindowUntil > 0 {
		x.Window = &[2]time.Time{time.UnixMilli(batch.WindowFrom).UTC(), time.UnixMilli(batch.WindowUntil).UTC()}
	} else {
		x.Digest = fmt.Sprintf("%x", b.digest)
	}
	return x
}

func minimumTLS(b *built) string {
	least := "1.2"
	for _, k := range b.kinds {
		for _, o := range k.d.Obligations {
			if o.Do == "minimum_tls" && slices.Contains(o.What, "1.3") {
				least = "1.3"
			}
		}
	}
	return least
}

// enter writes, in one transaction, the decision into the ledger, the batch with whom its attempt holds,
// and whom the recipient has something of from now on. It is errAgain when somebody whom the batch is
// about was erased, moved, merged or restricted since it was built.
func (r *Runner) enter(ctx context.Context, q *question, st *stream, was *Stream, unfinished *Batch, b *built, reach []Reach) (batch *Batch, entry id.Entry, seq int64, err error) {
	fresh := newDelivery()
	err = r.DB.Do(ctx, func(tx store.Tx) error {
		s, err := r.lead(tx, st.Key)
		if err != nil {
			return err
		}
		if s.State != Running || s.Pos != was.Pos || s.Window != was.Window {
			return errMoved
		}
		if err := r.unchanged(tx, q.tenant.No, &st.page.crowd, b); err != nil {
			return err
		}
		old, err := r.Store.Batch(tx, st.Key)
		if err != nil {
			return err
		}
		now := r.now().UnixMilli()
		if (old == nil) != (unfinished == nil) || old != nil && (old.ID != unfinished.ID || old.Attempt != unfinished.Attempt) {
			return errMoved
		}
		if old != nil && old.elsewhere(r.node, now) {
			return errElsewhere
		}
		batch = old
		if batch == nil {
			s.Seq++
			batch = &Batch{Key: st.Key, ID: fresh, Seq: s.Seq, BegunAt: now}
		}
		batch.From, batch.To, batch.WindowFrom, batch.WindowUntil = b.from, b.to, b.windowFrom, b.windowUntil
		batch.Attempt++
		batch.Count, batch.Node, batch.Until, batch.Subjects, batch.Records, batch.NextAt = b.lines, r.node, now+leaseFor.Milliseconds(), b.subjects, nil, 0
		if batch.WindowUntil > 0 && len(batch.Lines) == 0 {
			batch.Lines = r.keepLines(q, batch, b)
		}
		refs, err := r.Ledger.Append(tx, r.draft("flow.decided", q.tenant.ID, r.entryOf(q, b, batch)))
		if err != nil {
			return fmt.Errorf("enter the decision on %s: %w", batch.ID, err)
		}
		entry, seq = refs[0].Entry, r.Store.ChangeSeq(tx)
		batch.Entry, s.Entry = entry, entry
		if len(reach) > 0 {
			if err := r.Store.PutReach(tx, reach); err != nil {
				return fmt.Errorf("note whom %s has: %w", q.f.To, err)
			}
			if err := r.remember(tx, q, b, reach); err != nil {
				return err
			}
		}
		return errors.Join(r.Store.PutBatch(tx, batch), r.Store.PutStream(tx, s))
	})
	return batch, entry, seq, err
}

// newDelivery returns a batch's id, which is its idempotency key.
func newDelivery() string { return id.New("dlv", 15) }

// unchanged is errAgain when somebody whom the batch is about changed since it was built.
func (r *Runner) unchanged(tx store.Tx, tenant uint32, c *crowd, b *built) error {
	if r.Store.ChangeSeq(tx) == b.seq || b.form == decision.Aggregated {
		return nil
	}
	changes, whole, err := r.Store.Changed(tx, b.seq)
	if err != nil {
		return err
	}
	if !whole || c.touched(tenant, changes) {
		return errAgain
	}
	return nil
}

// done moves the cursor and enters the outcome. It doesn't give up while the node lives: the recipient
// has the batch.
func (r *Runner) done(ctx context.Context, q *question, st *stream, batch *Batch, b *built) error {
	body := deliveredBody{Flow: st.Flow, Delivery: batch.ID, Decision: batch.Entry, Attempt: batch.Attempt, Records: b.lines - len(b.refused.records),
		Refused: len(b.refused.records), Reasons: b.refused.reasons}
	return r.finish(ctx, batch, func(tx store.Tx, s *Stream) error {
		s.advance(b)
		s.SentAt = r.now().UnixMilli()
		refs, err := r.Ledger.Append(tx, r.draft("flow.delivered", q.tenant.ID, body))
		if err != nil {
			return fmt.Errorf("enter the outcome of %s: %w", batch.ID, err)
		}
		s.Entry = refs[0].Entry
		return errors.Join(r.Store.DeleteBatch(tx, st.Key), r.tally(tx, st.Key, b, 1), r.keepRefused(tx, st.Key, batch, b), r.disclose(tx, q, b))
	})
}

// deliveredBody is the ledger's entry on a batch that arrived.
type deliveredBody struct {
	Flow     string         `json:"flow"`
	Delivery string         `json:"delivery"`
	Decision id.Entry       `json:"decision"`
	Attempt  int            `json:"attempt"`
	Records  int            `json:"records"`
	Refused  int            `json:"refused,omitempty"` // single ones, beside those
	Reasons  map[string]int `json:"reasons,omitempty"` // theirs
}

// finish changes the stream of a batch whose attempt has ended, unless the operator set it back. A node
// that stops writes it all the same; it doesn't wait for a store that is away.
func (r *Runner) finish(stopping context.Context, batch *Batch, edit func(tx store.Tx, s *Stream) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(stopping), patience)
	defer cancel()
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := r.DB.Do(ctx, func(tx store.Tx) error {
			s, err := r.Store.Stream(tx, batch.Key)
			if err != nil {
				return err
			}
			now, err := r.Store.Batch(tx, batch.Key)
			if err != nil {
				return err
			}
			if s == nil || now == nil || now.ID != batch.ID || now.Attempt != batch.Attempt {
				return errMoved
			}
			if err := edit(tx, s); err != nil {
				return err
			}
			return r.Store.PutStream(tx, s)
		})
		if err == nil {
			r.Ledger.Committed()
			return nil
		}
		if fault.KindOf(err) != fault.Unavailable || ctx.Err() != nil || stopping.Err() != nil {
			return err
		}
		select {
		case <-stopping.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// cutShort notes that an attempt was cut, so that whoever waits for that goes on.
func (r *Runner) cutShort(ctx context.Context, k Key, batch *Batch) error {
	return r.finish(ctx, batch, func(tx store.Tx, _ *Stream) error {
		return r.Store.PutBatch(tx, ended(batch, "attempt.cut", 0))
	})
}

// ended is a batch without an attempt in flight.
func ended(batch *Batch, reason string, next int64) *Batch {
	b := *batch
	b.Node, b.Until, b.Subjects, b.Error, b.NextAt = "", 0, nil, reason, next
	return &b
}

// fail notes that a recipient didn't take a batch: it is tried again later, or parked.
//
// It is parked after ParkAfter of trying: the time during which the flow was paused, halted or parked doesn't count.
func (r *Runner) fail(ctx context.Context, st *stream, s *Stream, batch *Batch, b *built, cause error) (outcome, error) {
	now := r.now()
	reason := reasonOf(cause)
	next := now.Add(r.pause(batch.Attempt, cause))
	r.log.WarnContext(ctx, "a recipient did not take a batch", "flow", st.Flow, "tenant", r.tenantID(st.Tenant), "delivery", batch.ID, "attempt", batch.Attempt, "reason", reason)
	over := now.Sub(time.UnixMilli(max(batch.BegunAt, s.Since))) >= r.opt.ParkAfter
	if !over && !forGood(cause) {
		return outcome{due: next}, r.finish(ctx, batch, func(tx store.Tx, _ *Stream) error {
			return r.Store.PutBatch(tx, ended(batch, reason, next.UnixMilli()))
		})
	}
	return outcome{}, r.finish(ctx, batch, func(tx store.Tx, s *Stream) error {
		if to, ok := s.State.After(park); ok { // else the operator paused it meanwhile
			s.State, s.Since = to, now.UnixMilli()
		}
		refs, err := r.Ledger.Append(tx, r.draft("flow.parked", r.tenantID(st.Tenant), map[string]any{"flow": st.Flow, "delivery": batch.ID, "decision": batch.Entry, "attempt": batch.Attempt, "reason": reason}))
		if err != nil {
			return fmt.Errorf("enter that %s is parked: %w", batch.ID, err)
		}
		s.Entry = refs[0].Entry
		parked := ended(batch, reason, 0)
		parked.Records = packRecords(b.records)
		return r.Store.PutBatch(tx, parked)
	})
}

// forGood says whether a recipient's refusal will not change by itself.
func forGood(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Forbidden, fault.Unprocessable, fault.TooLarge, fault.NotFound, fault.Gone:
		return true
	}
	return false
}

// pause is how long to wait after a failed attempt: it doubles, some of it by chance, and is never
// shorter than what the recipient asked for.
func (r *Runner) pause(attempt int, err error) time.Duration {
	d := r.opt.MostBackOff
	if n := attempt - 1; n < 30 {
		d = min(r.opt.BackOff<<n, r.opt.MostBackOff)
	}
	d = d/2 + rand.N(d/2+1)
	if f, ok := fault.As(err); ok && f.RetryAfterSeconds > 0 {
		d = max(d, time.Duration(f.RetryAfterSeconds)*time.Second)
	}
	return d
}

// unmet returns whom the recipient is not known to have something of today.
func (st *stream) unmet(r *Runner, q *question, b *built) (all []Reach) {
	mark, now := r.mark(q, b), r.now().UnixMilli()
	for _, s := range b.people {
		if st.reach[s] != mark {
			all = append(all, Reach{Tenant: st.Tenant, Recipient: q.f.To, Flow: st.Flow, Form: b.form.String(), Subject: s, At: now})
		}
	}
	return all
}

// met remembers that it is written down.
func (st *stream) met(r *Runner, q *question, b *built) {
	if st.reach == nil {
		st.reach = map[id.Subject]string{}
	}
	if len(st.reach)+len(b.people) > mostReach {
		clear(st.reach)
	}
	mark := r.mark(q, b)
	for _, s := range b.people {
		st.reach[s] = mark
	}
}

// mark is what a row of whom a recipient has is about: a programme can give the flow another recipient or
// purpose while it runs.
func (r *Runner) mark(q *question, b *built) string {
	return r.now().UTC().Format(time.DateOnly) + " " + b.form.String() + " " + q.f.To + " " + q.f.Purpose
}

// TenantID returns the id of a tenant by its number, "" of one whom nobody knows.
func (r *Runner) TenantID(no uint32) string { return r.tenantID(no) }

// tenant returns a tenant by its number as it is now.
func (r *Runner) tenant(no uint32) (Tenant, bool) {
	for _, t := range r.Tenants() {
		if t.No == no {
			return t, true
		}
	}
	return Tenant{No: no}, false
}

// tenantID returns the id of a tenant by its number.
func (r *Runner) tenantID(no uint32) string {
	for _, t := range r.Tenants() {
		if t.No == no {
			return t.ID
		}
	}
	return ""
}

// close closes the ways to the recipients.
func (r *Runner) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(r.connectors)) {
		if err := r.connectors[k].Close(); err != nil {
			r.log.Warn("the way to a recipient did not close", "recipient", k, "error", err)
		}
	}
	clear(r.connectors)
}
