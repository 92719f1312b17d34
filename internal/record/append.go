package record

import (
	"crypto/sha256"
	"fmt"

	"domicile.dev/internal/store"
)

// Appended is what one Append wrote, if its transaction commits.
type Appended struct {
	FirstPos, LastPos uint64 // of the rows; LastPos is below FirstPos when there are none
	Rows              int
	Bytes             int64    // of all rows
	Digest            [32]byte // SHA-256 over the rows' bytes in order
	// Outcome says for each chunk and record whether it was a duplicate, and so not stored.
	Outcome [][]bool

	group []byte
	kinds []Kind
}

// builder is the scratch of Append.
type builder struct {
	sets  map[setKey]*openSet
	order []*openSet
	plans map[*Shape]*plan
	rows  []Row
	cands []candidate
	slots []uint32
	hits  []hit
}

// plan is what Append knows of a shape.
type plan struct {
	classes []uint16
	set     string // the classes as a map key
	code    uint16
	coded   bool // code is committed
}

type setKey struct {
	tenant  uint32
	classes string
}

// openSet is a row set of one tenant being filled.
type openSet struct {
	open   bool // in order
	tenant uint32
	b      *setBuilder
	index  groupRow
}

const maxPlans = 4096

// Append writes the chunks' records that are not duplicates of what is stored or of each other: a
// record is one when it has the client key of another of its tenant. The first one stays.
//
// tx is a write transaction, so that the caller holds the commit gate; Append is called once in it.
// It may be called again with the same chunks in another one when this one fails. Nothing is
// visible before Committed, or before another node's catching up; nothing of the chunks is kept.
func (l *Log) Append(tx store.Tx, chunks []*Chunk) (*Appended, error) {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	v, err := l.at(tx)
	if err != nil {
		return nil, err
	}
	if err := l.ahead(v.pos); err != nil {
		return nil, err
	}
	if err := check(chunks); err != nil {
		return nil, err
	}
	a := &Appended{FirstPos: v.pos + 1, LastPos: v.pos, Outcome: outcomes(chunks)}
	if err := l.duplicates(v, chunks, a.Outcome); err != nil {
		return nil, fmt.Errorf("find duplicates: %w", err)
	}
	w := &appending{l: l, tx: tx, b: &l.build, a: a}
	if err := w.records(chunks); err != nil {
		return nil, err
	}
	if a.Rows == 0 {
		return a, nil
	}
	if err := w.write(); err != nil {
		return nil, fmt.Errorf("append %d rows: %w", a.Rows, err)
	}
	g := l.store.Gate(tx)
	g.Pos = a.LastPos
	l.store.SetGate(tx, g)
	return a, nil
}

// check refuses what the format can't hold.
func check(chunks []*Chunk) error {
	for _, c := range chunks {
		for i := range c.Records {
			r := &c.Records[i]
			if len(r.Parts) != len(r.Shape.Categories) || len(r.Shape.Class) != len(r.Parts) || len(r.Parts) > MaxParts {
				return fmt.Errorf("record: %d parts for %d categories of kind %q", len(r.Parts), len(r.Shape.Categories), r.Shape.Kind)
			}
			size := 0
			for j := range r.Parts {
				if len(r.Parts[j].Sealed) == 0 {
					return fmt.Errorf("record: empty part in a record of kind %q", r.Shape.Kind)
				}
				size += len(r.Parts[j].Sealed)
			}
			if size > MaxSealedBytes {
				return fmt.Errorf("record: %d sealed bytes in a record of kind %q", size, r.Shape.Kind)
			}
		}
	}
	return nil
}

// appending is one call of Append.
type appending struct {
	l  *Log
	tx store.Tx
	b  *builder
	a  *Appended

	shape *Shape // of the record before
	plan  *plan
	set   *openSet
}

// records fills row sets, and finishes them where they are large enough.
func (w *appending) records(chunks []*Chunk) error {
	b := w.b
	for _, s := range b.order {
		s.open = false
		s.b.reset() // of what a failed call left
		s.index.reset()
	}
	if len(b.sets) > maxPlans {
		clear(b.sets)
	}
	b.order, b.rows = b.order[:0], b.rows[:0]
	w.a.group = append(make([]byte, 0, 64), groupVersion)
	limit, most := w.l.opt.RowBytes, w.l.opt.rowMost
	for ci, c := range chunks {
		w.set = nil
		for i := range c.Records {
			if w.a.Outcome[ci][i] {
				continue
			}
			r := &c.Records[i]
			if err := w.enter(c, r); err != nil {
				return err
			}
			s := w.set
			if s.b.records > 0 && (s.b.records == maxRowRecords || s.b.size()+sealedSize(r)+recordOverhead > most) {
				w.finish(s)
			}
			s.b.add(c, r)
			s.index.add(w.plan.code, r)
			if s.b.size() >= limit {
				w.finish(s)
			}
		}
	}
	for _, s := range b.order {
		w.finish(s)
	}
	return nil
}

// recordOverhead is about what a record takes beside its sealed bytes.
const recordOverhead = 32

func sealedSize(r *Sealed) (n int) {
	for i := range r.Parts {
		n += len(r.Parts[i].Sealed)
	}
	return n
}

// enter sets w.plan and w.set for a record.
func (w *appending) enter(c *Chunk, r *Sealed) error {
	if w.set != nil && w.shape == r.Shape {
		return nil
	}
	if w.shape != r.Shape || w.plan == nil {
		p, err := w.planOf(r.Shape)
		if err != nil {
			return err
		}
		w.shape, w.plan = r.Shape, p
	}
	k := setKey{c.Tenant, w.plan.set}
	s := w.b.sets[k]
	if s == nil {
		if w.b.sets == nil {
			w.b.sets = make(map[setKey]*openSet)
		}
		s = &openSet{tenant: c.Tenant, b: newSetBuilder(w.plan.classes)}
		w.b.sets[k] = s
	}
	if !s.open {
		s.open = true
		w.b.order = append(w.b.order, s)
	}
	w.set = s
	return nil
}

// planOf returns what is known of a shape, giving its kind a code when it has none.
func (w *appending) planOf(s *Shape) (*plan, error) {
	p := w.b.plans[s]
	if p == nil {
		if err := checkShape(s); err != nil {
			return nil, err
		}
		p = &plan{classes: classesOf(s)}
		p.set = fmt.Sprint(p.classes)
		if w.b.plans == nil || len(w.b.plans) >= maxPlans {
			w.b.plans = make(map[*Shape]*plan)
		}
		w.b.plans[s] = p
	}
	if p.coded {
		return p, nil
	}
	k := Kind{Service: s.Service, Kind: s.Kind, Class: p.classes[0]}
	code, ok := w.l.kinds.code(k)
	if !ok {
		var err error
		if code, ok, err = w.newCode(k); err != nil {
			return nil, err
		}
	}
	p.code, p.coded = code, ok
	return p, nil
}

// newCode gives a kind a code in this transaction, unless another node has. committed says which.
func (w *appending) newCode(k Kind) (code uint16, committed bool, err error) {
	for _, have := range w.a.kinds {
		if have.Service == k.Service && have.Kind == k.Kind && have.Class == k.Class {
			return have.Code, false, nil
		}
	}
	all, err := w.l.store.Kinds(w.tx)
	if err != nil {
		return 0, false, fmt.Errorf("read kind codes: %w", err)
	}
	var last uint16
	for _, have := range all { // those of this transaction too
		last = max(last, have.Code)
	}
	if len(w.a.kinds) == 0 {
		w.l.kinds.add(all)
		if code, ok := w.l.kinds.code(k); ok {
			return code, true, nil
		}
	}
	if last == 65535 {
		return 0, false, fmt.Errorf("record: more than 65,535 kinds")
	}
	k.Code = last + 1
	if err := w.l.store.InsertKind(w.tx, k); err != nil {
		return 0, false, fmt.Errorf("insert kind code: %w", err)
	}
	w.a.kinds = append(w.a.kinds, k)
	return k.Code, false, nil
}

// finish gives a row set its positions and starts it anew.
func (w *appending) finish(s *openSet) {
	if s.b.records == 0 {
		return
	}
	newest, classes := s.b.newest, s.b.classes
	base := w.a.LastPos + 1
	for i, body := range s.b.finish() {
		w.a.LastPos++
		w.a.Rows++
		w.a.Bytes += int64(len(body))
		w.b.rows = append(w.b.rows, Row{s.tenant, w.a.LastPos, classes[i], newest, body})
	}
	w.a.group = appendGroupRow(w.a.group, s.tenant, base-w.a.FirstPos, &s.index)
	s.b.reset()
	s.index.reset()
}

// write sends rows and group index.
func (w *appending) write() error {
	digest := sha256.New()
	for i := range w.b.rows {
		digest.Write(w.b.rows[i].Body)
	}
	digest.Sum(w.a.Digest[:0])
	if err := w.l.store.InsertRows(w.tx, w.b.rows); err != nil {
		return err
	}
	clear(w.b.rows)
	return w.l.store.InsertGroup(w.tx, w.a.FirstPos, w.a.LastPos, w.a.group)
}

// Committed publishes what a committed transaction appended. Call it once, after Do returned nil.
// When it is left out, because Do's answer was lost, the next Append or read catches up.
func (l *Log) Committed(a *Appended) {
	if a.Rows == 0 {
		return
	}
	l.kinds.add(a.kinds)
	l.mem.mu.Lock()
	// It encoded what this decodes; were that wrong, the next catching up would say so.
	_ = l.mem.apply(a.FirstPos, a.LastPos, a.group)
	due := len(l.mem.gens) > 1 || l.mem.full(l.mem.gens[0])
	l.mem.mu.Unlock()
	a.group = nil
	if due {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}
