package flow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/store"
)

// stream is what a node keeps of one stream between batches. Nothing of it decides: the cursor and the
// batch are read anew each time.
type stream struct {
	Key
	page  page
	open  opener
	reach map[id.Subject]string // day on which the recipient's having something of them was written last

	shaper   Shaper
	shapedBy *programme.Programme

	// Of the runner, guarded by its lock.
	busy     bool
	due      time.Time        // not before
	failed   string           // reason of the last trouble that isn't the recipient's
	judged   *decision.Engine // by which the stream was last looked at, and on which day
	judgedOn string
}

// mostReach bounds what a stream remembers of whom the recipient had.
const mostReach = 1 << 16

// passEvery is how often, at most, a cursor is written that passes over what isn't the flow's: records
// keep coming, and each write goes through the gate.
const passEvery = time.Second

// Errors that mean: begin again.
var (
	errAgain     = errors.New("somebody changed while a batch was built")
	errElsewhere = errors.New("another node runs the stream")
	errMoved     = errors.New("the stream isn't where it was")
)

// outcome says what a step leaves to be done.
type outcome struct {
	again bool      // at once
	due   time.Time // not before; zero: when something new is there
}

// step takes a stream one batch further.
//
// The batch is read and decided in one snapshot. The decision is entered, with the batch and whom it
// holds, in a transaction that also looks for what the snapshot didn't see; only then the bytes go, and
// then the cursor. Whatever stops it between two of these, the same stretch is read again under the
// same id.
func (r *Runner) step(ctx context.Context, st *stream, t Tenant) (outcome, error) {
	e := r.Rules.Engine()
	f := flowOf(e.Programme(), st.Flow)
	if f == nil || f.From != r.Region {
		return outcome{due: r.now().Add(troubleWait)}, nil // it can come back
	}
	var s *Stream
	var unfinished *Batch
	if err := r.DB.View(ctx, func(tx store.Tx) (err error) {
		if s, err = r.Store.Stream(tx, st.Key); err == nil {
			unfinished, err = r.Store.Batch(tx, st.Key)
		}
		return err
	}); err != nil {
		return outcome{}, fmt.Errorf("read where %s is: %w", st.Flow, err)
	}
	if s == nil || s.State != Running && s.State != Halted {
		return outcome{}, nil
	}
	answers := e.Answers(f.ID, r.now())
	reasons := halts(answers)
	if reasons == "" && r.Drifts != nil {
		reasons = strings.Join(r.Drifts(f.ID), ",")
	}
	if reasons != "" {
		return outcome{}, r.halt(ctx, s, f, answers, reasons)
	}
	if s.State == Halted {
		return outcome{again: true}, r.move(ctx, st.Key, goOn, nil)
	}
	if unfinished != nil && unfinished.waits(r.now()) {
		return outcome{due: time.UnixMilli(unfinished.NextAt)}, nil
	}
	conn, err := r.connector(ctx, f.To)
	if err != nil {
		return outcome{}, err
	}
	q := r.ask(e, f, t, answers)
	b, out, err := r.build(ctx, q, st, s, unfinished)
	if parksWindow(err) && b != nil {
		return outcome{}, r.parkWindow(ctx, q, st, s, unfinished, b, err)
	}
	if b == nil || err != nil {
		return out, err
	}
	if b.lines == 0 {
		out := outcome{again: b.window > s.Window || st.page.more}
		if !out.again {
			out.due = r.now().Add(passEvery)
		}
		return out, r.pass(ctx, st, s, b)
	}
	return r.send(ctx, q, st, s, unfinished, b, conn)
}

// build makes the next batch, or the unfinished one anew.
func (r *Runner) build(ctx context.Context, q *question, st *stream, s *Stream, unfinished *Batch) (*built, outcome, error) {
	counting := unfinished != nil && unfinished.WindowUntil > 0
	if !counting && q.counts() {
		if unfinished != nil { // what was to be sent may only be counted by now, and is later
			return nil, outcome{again: true}, r.drop(ctx, st.Key, unfinished.ID)
		}
		counting = true
	}
	if counting {
		b, due, err := r.count(ctx, q, st, s, unfinished)
		return b, outcome{due: due}, err
	}
	lim := limits{records: r.opt.BatchRecords, bytes: r.opt.BatchBytes, rows: 64 * scanRows}
	if unfinished != nil {
		lim = limits{to: unfinished.To, records: 1 << 30, bytes: 1 << 30, rows: 1 << 30}
	}
	if err := r.read(ctx, q, &st.page, s.Pos, lim); err != nil {
		return nil, outcome{}, fmt.Errorf("read records: %w", err)
	}
	if st.page.to == s.Pos {
		return nil, outcome{}, nil
	}
	if _, err := st.page.decide(q); err != nil {
		return nil, outcome{}, err
	}
	if p := q.engine.Programme(); st.shapedBy != p {
		sh, err := r.Forms.Shaper(p, q.f, q.tenant.ID)
		if err != nil {
			return nil, outcome{}, fmt.Errorf("make the form: %w", err)
		}
		st.shaper, st.shapedBy = sh, p
	}
	b := &built{seq: st.page.seq, from: s.Pos, to: st.page.to, received: st.page.received}
	return b, outcome{}, r.shape(q, &st.page, &st.open, st.shaper, b)
}

// halts returns the codes for which the flow as such is denied in every kind, joined; "" when some kind
// may go, and when it has none.
func halts(answers []decision.Answer) string {
	var codes []string
	for _, a := range answers {
		if a.Decision.Allowed {
			return ""
		}
		for _, d := range a.Decision.Denials() {
			if !slices.Contains(codes, d.Code) {
				codes = append(codes, d.Code)
			}
		}
	}
	slices.Sort(codes)
	return strings.Join(codes, ",")
}

func flowOf(p *programme.Programme, flow string) *programme.Flow {
	for i := range p.Flows {
		if p.Flows[i].ID == flow {
			return &p.Flows[i]
		}
	}
	return nil
}

// lead takes the stream's lease or prolongs it, and reads where the stream is.
func (r *Runner) lead(tx store.Tx, k Key) (*Stream, error) {
	mine, err := r.Store.Lease(tx, k.lease(), r.node, r.now(), leaseFor)
	if err != nil {
		return nil, err
	}
	if !mine {
		return nil, errElsewhere
	}
	s, err := r.Store.Stream(tx, k)
	if err == nil && s == nil {
		err = errMoved
	}
	return s, err
}

// move changes a stream's state by itself, when it still can. edit may change more.
func (r *Runner) move(ctx context.Context, k Key, v Verb, edit func(tx store.Tx, s *Stream) error) error {
	err := r.DB.Do(ctx, func(tx store.Tx) error {
		s, err := r.lead(tx, k)
		if err != nil {
			return err
		}
		to, ok := s.State.After(v)
		if !ok {
			return errMoved
		}
		s.State, s.Since, s.Reasons = to, r.now().UnixMilli(), ""
		if edit != nil {
			if err := edit(tx, s); err != nil {
				return err
			}
		}
		return r.Store.PutStream(tx, s)
	})
	if err == nil {
		r.Ledger.Committed()
	}
	return err
}

// pass goes on over what nothing is sent of, without an entry.
func (r *Runner) pass(ctx context.Context, st *stream, was *Stream, b *built) error {
	err := r.DB.Do(ctx, func(tx store.Tx) error {
		s, err := r.lead(tx, st.Key)
		if err != nil {
			return err
		}
		if s.State != Running || s.Pos != was.Pos || s.Window != was.Window {
			return errMoved
		}
		s.advance(b)
		if err := errors.Join(r.Store.PutStream(tx, s), r.Store.DeleteBatch(tx, st.Key)); err != nil {
			return err
		}
		return r.tally(tx, st.Key, b, 0)
	})
	if err == nil {
		r.metrics.left(st.Flow, b)
	}
	return err
}

func (s *Stream) advance(b *built) {
	s.Pos, s.Window, s.Received = b.to, max(s.Window, b.window), max(s.Received, b.received)
}

// drop forgets an unfinished batch; the cursor stays.
func (r *Runner) drop(ctx context.Context, k Key, id string) error {
	return r.DB.Do(ctx, func(tx store.Tx) error {
		if _, err := r.lead(tx, k); err != nil {
			return err
		}
		b, err := r.Store.Batch(tx, k)
		if err != nil || b == nil || b.ID != id {
			return err
		}
		return r.Store.DeleteBatch(tx, k)
	})
}

// tally writes how much was sent and left out.
func (r *Runner) tally(tx store.Tx, k Key, b *built, deliveries int64) error {
	day := r.now().UTC().Format(time.DateOnly)
	var counts []Count
	if deliveries > 0 {
		counts = append(counts, Count{k, day, "deliveries", b.form.String(), deliveries}, Count{k, day, "records", b.form.String(), int64(b.lines - len(b.refused.records))})
	}
	for _, reason := range slices.Sorted(maps.Keys(b.refused.reasons)) {
		counts = append(counts, Count{k, day, "refused", reason, int64(b.refused.reasons[reason])})
	}
	for _, d := range b.denied {
		counts = append(counts, Count{k, day, "denied", d.code, d.n})
	}
	if len(counts) == 0 {
		return nil
	}
	return r.Store.AddCounts(tx, counts)
}

// begins says whether err means to begin again, or that another node does.
func begins(err error) bool {
	return errors.Is(err, errAgain) || errors.Is(err, errMoved) || errors.Is(err, errElsewhere)
}

// reasonOf is what may be told of a trouble: a code.
func reasonOf(err error) string {
	if reason := fault.ReasonOf(err); reason != "" {
		return reason
	}
	return "internal"
}
