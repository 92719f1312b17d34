package record

import (
	"context"
	"fmt"
	"slices"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

const (
	// compactSubjects is how many subjects are walked together.
	compactSubjects = 64
	// compactRows is how many base rows one transaction rewrites: some milliseconds under the gate.
	compactRows = 64
	// markPage is how many marks one transaction puts.
	markPage = 1024
	// dropRows is how many rows one transaction drops.
	dropRows = 256
)

// Compact rewrites the rows that hold parts about the dead, who were erased and get no new records,
// without those parts. A record of which nothing is left goes with its header; the others keep their
// locations. The index forgets the dead when runs are next merged, and does not return them from now
// on; client keys stay. It may be called again after an error.
//
// Each call makes every node read all marks anew, once: who has many dead hands them over together.
// hold is called first in each of its transactions, to prolong a lease; its error ends the call.
func (l *Log) Compact(ctx context.Context, tenant uint32, dead []id.Subject, hold ...func(store.Tx) error) error {
	do := func(fn func(store.Tx) error) error {
		return l.db.Do(ctx, func(tx store.Tx) error {
			for _, h := range hold {
				if err := h(tx); err != nil {
					return err
				}
			}
			return fn(tx)
		})
	}
	for some := range slices.Chunk(dead, compactSubjects) {
		if err := l.compact(ctx, do, tenant, some); err != nil {
			return fmt.Errorf("compact: %w", err)
		}
	}
	if err := l.markDead(do, tenant, dead); err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	return nil
}

// doer runs a function in a write transaction.
type doer func(func(store.Tx) error) error

// markDead puts a mark for each of the dead. Nodes look at them when the last are put; until then
// readers pass over what the rows no longer have.
func (l *Log) markDead(do doer, tenant uint32, dead []id.Subject) error {
	for len(dead) > 0 {
		page := dead[:min(len(dead), markPage)]
		dead = dead[len(page):]
		if err := do(func(tx store.Tx) error {
			g := l.store.Gate(tx)
			marks := make([]Mark, len(page))
			for i := range page {
				marks[i] = Mark{Tenant: tenant, Subject: page[i][:], Pos: g.Pos}
			}
			if len(dead) > 0 {
				return l.store.PutMarks(tx, marks)
			}
			return l.mark(tx, g, marks)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) compact(ctx context.Context, do doer, tenant uint32, dead []id.Subject) error {
	var after Location
	for {
		var rows []uint64
		if err := l.db.View(ctx, func(tx store.Tx) (err error) {
			rows, after, err = l.rowsOf(tx, tenant, dead, after)
			return err
		}); err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		if err := do(func(tx store.Tx) error { return l.rewrite(tx, tenant, rows, dead) }); err != nil {
			return err
		}
	}
}

// mark puts marks and makes all nodes look at them, and read rows anew.
func (l *Log) mark(tx store.Tx, g Gate, marks []Mark) error {
	g.Manifest++
	l.store.SetGate(tx, g)
	return l.store.PutMarks(tx, append(marks, Mark{Pos: g.Manifest}))
}

// rowsOf returns the next base rows with records of the subjects, newest first.
func (l *Log) rowsOf(tx store.Tx, tenant uint32, subjects []id.Subject, after Location) (rows []uint64, last Location, err error) {
	v, err := l.at(tx)
	if err != nil {
		return nil, after, err
	}
	w := v.locate(tenant, subjects, false, after, compactRows)
	w.accept = func(*entry) (bool, error) { return true, nil }
	for {
		e, ok, err := w.next()
		if err != nil || !ok {
			return rows, after, err
		}
		if n := len(rows); n == 0 || rows[n-1] != e.pos {
			if n == compactRows {
				return rows, after, nil
			}
			rows = append(rows, e.pos)
		}
		after = e.loc()
	}
}

// rewrite takes the parts about the dead out of base rows and their siblings.
func (l *Log) rewrite(tx store.Tx, tenant uint32, bases []uint64, dead []id.Subject) error {
	v := &view{l: l, tx: tx}
	bodies := make(map[uint64][]byte, len(bases))
	if err := l.store.Rows(tx, tenant, bases, nil, func(i int, body []byte) error {
		bodies[bases[i]] = body
		return nil
	}); err != nil {
		return err
	}
	set := make(map[id.Subject]bool, len(dead))
	for _, s := range dead {
		set[s] = true
	}
	var update []Row
	var remove []uint64
	for _, pos := range bases {
		if bodies[pos] == nil {
			continue // retention was here
		}
		rows, gone, err := v.without(tenant, pos, bodies, set)
		if err != nil {
			return fmt.Errorf("row %d of tenant %d: %w", pos, tenant, err)
		}
		update, remove = append(update, rows...), append(remove, gone...)
	}
	if err := l.store.UpdateRows(tx, update); err != nil {
		return err
	}
	return l.store.DeleteRows(tx, tenant, remove)
}

// without returns a base row and its siblings without the parts about the dead, and the positions
// of those in which nothing is left.
func (v *view) without(tenant uint32, pos uint64, have map[uint64][]byte, dead map[id.Subject]bool) (rows []Row, empty []uint64, err error) {
	r, err := openRow(have[pos], &v.l.shapes)
	if err != nil {
		return nil, nil, err
	}
	classes := append([]uint16{r.class}, r.siblings...)
	exists := make([]bool, len(classes))
	exists[0] = true
	beside := make([][]byte, len(r.siblings))
	if len(beside) > 0 {
		if err := v.l.store.Rows(v.tx, tenant, r.siblingPositions(pos, nil), nil, func(i int, body []byte) error {
			beside[i], exists[i+1] = body, true
			return nil
		}); err != nil {
			return nil, nil, err
		}
	}
	if err := r.join(beside); err != nil {
		return nil, nil, err
	}
	b := newSetBuilder(classes)
	left := make([]bool, len(classes)) // has a part
	for r.idx < r.records {
		var f Found
		var arena []FoundPart
		ok, err := r.next(&f, &arena)
		if err != nil {
			return nil, nil, err
		}
		c := &Chunk{ID: r.chunk, Tenant: tenant, ReceivedAt: r.receivedAt}
		rec := r.sealedWithout(&f, dead, ok)
		if rec == nil {
			b.addRemoved(c)
			continue
		}
		b.add(c, rec)
		for i := range rec.Parts {
			if len(rec.Parts[i].Sealed) > 0 {
				left[slices.Index(classes, rec.Shape.Class[i])] = true
			}
		}
	}
	any := slices.Contains(left, true)
	for i, body := range b.finish() {
		p := pos + uint64(i)
		switch {
		case !exists[i]:
		case left[i] || i == 0 && any:
			rows = append(rows, Row{Tenant: tenant, Pos: p, Class: classes[i], Body: body})
		default:
			empty = append(empty, p)
		}
	}
	return rows, empty, nil
}

// sealedWithout turns the record just read back into what a setBuilder takes, without the parts about the
// dead; nil when none is left.
func (r *rowReader) sealedWithout(f *Found, dead map[id.Subject]bool, ok bool) *Sealed {
	if !ok {
		return nil
	}
	shape := r.shapes[r.shape]
	rec := &Sealed{Ordinal: f.ID.Ordinal, Shape: shape, OccurredAt: f.OccurredAt, Parts: make([]Part, len(shape.Categories))}
	left := false
	for i := range f.Parts {
		p := &f.Parts[i]
		if dead[p.Subject] {
			continue
		}
		rec.Parts[p.at] = Part{Subject: p.Subject, N: p.N, Sealed: p.Sealed}
		left = true
	}
	if !left {
		return nil
	}
	return rec
}

// DropClass drops the rows of a retention class that were received before a time. Base rows of other
// classes stay, and their records with the parts that are left. It goes by position up to the first
// row that is younger; a row counts as old as its newest record.
func (l *Log) DropClass(ctx context.Context, tenant uint32, class uint16, before time.Time) error {
	for more := true; more; {
		if err := l.db.Do(ctx, func(tx store.Tx) (err error) {
			more, err = l.dropOld(tx, tenant, class, before.UnixMilli())
			return err
		}); err != nil {
			return fmt.Errorf("drop rows of class %d: %w", class, err)
		}
	}
	return nil
}

// dropOld drops some rows and says whether there may be more to drop.
func (l *Log) dropOld(tx store.Tx, tenant uint32, class uint16, before int64) (more bool, err error) {
	rows, err := l.store.OldRows(tx, tenant, class, dropRows+1)
	if err != nil {
		return false, err
	}
	var old []uint64
	for _, r := range rows[:min(len(rows), dropRows)] {
		if r.ReceivedAt >= before {
			break
		}
		old = append(old, r.Pos)
	}
	if len(old) == 0 {
		return false, nil
	}
	g := l.store.Gate(tx)
	through := g.Pos // up to where no row of the class is left
	if len(rows) > len(old) {
		through = rows[len(old)].Pos - 1
	}
	if err := l.store.DeleteRows(tx, tenant, old); err != nil {
		return false, err
	}
	return len(old) == dropRows, l.mark(tx, g, []Mark{{Tenant: tenant, Class: class, Pos: through}})
}
