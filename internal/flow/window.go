package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/form"
	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// windowOf returns the length of a flow's windows, which begin at whole multiples of it since 1970, UTC.
func windowOf(f *programme.Flow) time.Duration {
	from, until := form.WindowAt(f, time.Time{})
	return until.Sub(from)
}

// count reads the next window that is over, or the one of an unfinished batch, and counts it. Without
// anything to do, due is when there may be, which is never for zero: when something new is received.
//
// A record belongs to the window in which it was received. The cursor ends before the first row that
// has something of a later window, so that rows are read again and no record is counted twice. Who is
// erased while a window is counted may be in its numbers; no line names anybody. Once an attempt was
// begun, its lines stay as they are.
//
// On a fault that parks the window (parksWindow) b names it.
func (r *Runner) count(ctx context.Context, q *question, st *stream, s *Stream, unfinished *Batch) (b *built, due time.Time, err error) {
	length := windowOf(q.f)
	q.most = decision.Aggregated
	from, until := s.Window, int64(0)
	if unfinished != nil {
		from = unfinished.WindowFrom
		if unfinished.Attempt > 0 { // else its length may have been mended
			until = unfinished.WindowUntil
		}
	}
	p := &st.page
	page := limits{records: 1 << 30, bytes: 1 << 30, rows: scanRows}
	if err := r.read(ctx, q, p, s.Pos, page); err != nil {
		return nil, due, err
	}
	if p.to == s.Pos {
		return nil, due, nil
	}
	if until == 0 {
		if first := floor(p.oldest, length); first > from {
			from = first // nothing was received for whole windows
		}
		until = floor(from, length) + length.Milliseconds() // where the length was changed, the first is what is left of one
		if due = time.UnixMilli(until).Add(r.opt.Grace); r.now().Before(due) {
			return nil, due, nil
		}
	}
	w := r.Forms.Window(q.engine.Programme(), q.f, time.UnixMilli(from).UTC(), time.UnixMilli(until).UTC())
	b = &built{seq: p.seq, from: s.Pos, to: s.Pos, windowFrom: from, windowUntil: until, window: until, form: decision.Aggregated}
	later := false // a later window has begun
	page.rows = 16 * scanRows
	for {
		p.within(from, until)
		if _, err := p.decide(q); err != nil {
			return nil, due, err
		}
		if err := r.add(q, st, w, b); err != nil {
			return b, due, err
		}
		end := p.to
		if later = later || p.received >= until; !later {
			b.to, b.received = end, max(b.received, p.received)
		}
		if !p.more || p.oldest >= until+r.opt.Grace.Milliseconds() {
			break
		}
		if err := r.read(ctx, q, p, end, page); err != nil {
			return nil, due, err
		}
		if p.to == end {
			break
		}
	}
	err = r.DB.View(ctx, func(tx store.Tx) (err error) {
		var broken error
		b.body, b.lines, err = w.Lines(b.body[:0], func(s id.Subject) (id.Subject, bool) {
			head, ok, err := r.speaks(tx, q.tenant.No, s)
			broken = errors.Join(broken, err)
			return head, ok
		})
		return errors.Join(err, broken)
	})
	if err != nil {
		return b, time.Time{}, err
	}
	return b, time.Time{}, r.asGiven(q, unfinished, b)
}

// speaks returns who speaks now for a person who was counted, and false when nobody does.
func (r *Runner) speaks(tx store.Tx, tenant uint32, s id.Subject) (head id.Subject, ok bool, err error) {
	head = s
	for range 2 {
		k, next := subject.Key{Tenant: tenant, Subject: head}, head
		if err := r.Subjects.Rows(tx, []subject.Key{k}, func(row subject.Row) { next, ok = row.Head, true }); err != nil || !ok || next == head {
			return head, ok, err
		}
		head, ok = next, false
	}
	return head, false, nil
}

// within keeps what was received from the first time on and before the second.
func (p *page) within(from, until int64) {
	kept := p.taken[:0]
	for i := range p.taken {
		if at := p.taken[i].f.ReceivedAt; from <= at && at < until {
			kept = append(kept, p.taken[i])
		}
	}
	p.taken = kept
}

// add counts what may be counted of a page.
func (r *Runner) add(q *question, st *stream, w Window, b *built) error {
	p := &st.page
	st.open.begin(r.Region, q.tenant.ID)
	var people []id.Subject
	for i := range p.taken {
		t := &p.taken[i]
		if t.d == nil {
			continue
		}
		people = people[:0]
		for n, x := range t.parts {
			if x.ok && x.who >= 0 && metBefore(t.parts[:n], x.who) == nil {
				people = p.crowd.counted(people, x.who)
			}
		}
		ok, err := r.open(q, p, &st.open, t)
		if err == nil && ok {
			err = w.Add(&st.open.record, people, t.d)
		}
		if fault.KindOf(err) == fault.Invalid || err == nil && !ok {
			p.deny(codeDamaged)
			continue
		} else if err != nil {
			return fmt.Errorf("count %s: %w", t.f.ID, err)
		}
		b.count(t)
	}
	b.denied = addDenied(b.denied, p.denied)
	return nil
}

func floor(ms int64, length time.Duration) int64 { return ms - ms%length.Milliseconds() }

func addDenied(to, more []denied) []denied {
	for _, d := range more {
		at := slices.IndexFunc(to, func(x denied) bool { return x.code == d.code })
		if at < 0 {
			to = append(to, d)
		} else {
			to[at].n += d.n
		}
	}
	return to
}
