package register

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/store"
)

// Caller is who asks: the operator of the region, or a tenant, who may make its own choices and see
// those.
type Caller struct {
	Operator bool
	Tenant   string // "" for the operator
	By       string // id of the token; "" for the operator
}

func (c Caller) by() string {
	if c.By == "" {
		return "operator"
	}
	return c.By
}

// Operator is the caller that a node is to itself.
var Operator = Caller{Operator: true}

// New is a fact to be added.
type New struct {
	Line
	Replaces string // id of the fact whose place it takes; "" for none
	Assumed  bool
}

// Added is what became of one.
type Added struct {
	Row
	Already bool // the same fact stood already: nothing was added
}

// own are the lists that a tenant may write about itself.
var own = []string{"enablements", "objections"}

// choices are the lists whose facts are of a customer.
var choices = []string{"enablements", "objections", "pins"}

func (c Caller) may(kind, tenant string) error {
	if c.Operator || c.Tenant != "" && slices.Contains(own, kind) && tenant == c.Tenant {
		return nil
	}
	return fault.New(fault.Forbidden, "register.operator_only", "this fact is the region's operator's to change").
		WithHint("a tenant may enable recipients and object to them, for itself")
}

// Add adds facts, all or none, each with its ledger entry. One that stands already word for word is left
// alone; one that has the id of a contract or case that stands takes its place.
//
// Faults: Forbidden; NotFound for a fact to be replaced that doesn't stand; Invalid; Conflict when the
// register is full.
func (s *Service) Add(ctx context.Context, c Caller, facts ...New) (out []Added, err error) {
	return s.add(ctx, c, false, facts)
}

// Stamp adds facts that nobody observed, marked so, to a register that never held any. It returns how
// many: 0 on every later call, also when the facts were struck since.
func (s *Service) Stamp(ctx context.Context, lines []Line) (n int, err error) {
	facts := make([]New, len(lines))
	for i, l := range lines {
		facts[i] = New{Line: l, Assumed: true}
	}
	out, err := s.add(ctx, Operator, true, facts)
	return len(out), err
}

func (s *Service) add(ctx context.Context, c Caller, onlyFirst bool, facts []New) (out []Added, err error) {
	if len(facts) > MaxAtOnce {
		return nil, fault.New(fault.TooLarge, "register.too_many_at_once", "at most %d facts are added at once", MaxAtOnce)
	}
	for _, f := range facts {
		if err := c.may(f.Kind, f.tenant()); err != nil {
			return nil, err
		}
	}
	err = s.write(ctx, func(tx store.Tx, now *Snapshot) error {
		out = nil
		if onlyFirst && now.Seq > 0 {
			return nil
		}
		w := &writing{s: s, tx: tx, c: c, at: s.opt.Now(), seq: now.Seq, standing: now.Facts}
		for _, f := range facts {
			a, err := w.add(f)
			if err != nil {
				return err
			}
			out = append(out, a)
		}
		return w.done()
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Strike ends a fact, so that it stands no more. It stays in the history.
//
// Faults: Forbidden; NotFound when it doesn't stand.
func (s *Service) Strike(ctx context.Context, c Caller, fact string) (out Row, err error) {
	err = s.write(ctx, func(tx store.Tx, now *Snapshot) error {
		w := &writing{s: s, tx: tx, c: c, at: s.opt.Now(), seq: now.Seq, standing: now.Facts}
		if out, err = w.strike(fact); err != nil {
			return err
		}
		return w.done()
	})
	return out, err
}

// Pause stops a flow from the next batch on. reason has no personal data. It does nothing to a flow that
// is paused for the same reason since today.
func (s *Service) Pause(ctx context.Context, c Caller, flow, reason string) (Added, error) {
	p := &Register{Pauses: []Pause{{Flow: flow, Reason: reason, From: programme.DayOf(s.opt.Now()).Date()}}}
	out, err := s.Add(ctx, c, New{Line: p.Lines()[0]})
	if err != nil {
		return Added{}, err
	}
	return out[0], nil
}

// Resume strikes every pause of a flow. It returns what was struck, nothing when it wasn't paused.
func (s *Service) Resume(ctx context.Context, c Caller, flow string) (out []Row, err error) {
	err = s.write(ctx, func(tx store.Tx, now *Snapshot) error {
		out = nil
		w := &writing{s: s, tx: tx, c: c, at: s.opt.Now(), seq: now.Seq, standing: now.Facts}
		for _, r := range now.Facts {
			if r.Kind != "pauses" || r.key("flow") != flow {
				continue
			}
			row, err := w.strike(r.ID)
			if err != nil {
				return err
			}
			out = append(out, row)
		}
		return w.done()
	})
	return out, err
}

// write runs fn in a write transaction with what stands there. What fn collects it collects anew each
// time that it is called.
func (s *Service) write(ctx context.Context, fn func(tx store.Tx, now *Snapshot) error) error {
	err := s.db.Do(ctx, func(tx store.Tx) error {
		last, err := s.store.LastFact(tx)
		if err != nil {
			return err
		}
		now := &Snapshot{Seq: last}
		if err := s.store.StandingFacts(tx, func(r Row) error { now.Facts = append(now.Facts, r); return nil }); err != nil {
			return err
		}
		return fn(tx, now)
	})
	s.mu.Lock()
	s.written++ // also after an error: a commit whose answer was lost has happened
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.ledger.Entered()
	return nil
}

// writing is one write transaction's work.
type writing struct {
	s        *Service
	tx       store.Tx
	c        Caller
	at       time.Time
	seq      int64
	standing []Row
	rows     []Row
}

func (w *writing) add(f New) (Added, error) {
	tenant, id := f.tenant(), f.key("id")
	var old *Row
	for i := range w.standing {
		r := &w.standing[i]
		if r.Line == f.Line {
			return Added{Row: *r, Already: true}, nil
		}
		if r.Kind == f.Kind && (f.Replaces == r.ID || f.Replaces == "" && id != "" && r.key("id") == id) {
			old = r
		}
	}
	if f.Replaces != "" && old == nil {
		return Added{}, noFact()
	}
	body := map[string]any{"kind": f.Kind, "digest": f.digest()}
	kind := "register.added"
	row := Row{Line: f.Line, Tenant: tenant, Assumed: f.Assumed}
	if f.Assumed {
		body["assumed"] = true
	}
	if old != nil {
		if err := w.c.may(old.Kind, old.Tenant); err != nil {
			return Added{}, err
		}
		kind, body["replaces"], row.Ends = "register.replaced", old.ID, old.Seq
	}
	row, err := w.put(row, kind, body)
	return Added{Row: row}, err
}

func (w *writing) strike(fact string) (Row, error) {
	for i := range w.standing {
		r := &w.standing[i]
		if r.ID != fact {
			continue
		}
		if err := w.c.may(r.Kind, r.Tenant); err != nil {
			if !w.c.Operator && r.Tenant != w.c.Tenant {
				return Row{}, noFact() // what a tenant doesn't see isn't there
			}
			return Row{}, err
		}
		return w.put(Row{Line: Line{Kind: r.Kind}, Tenant: r.Tenant, Ends: r.Seq}, "register.struck", map[string]any{"kind": r.Kind, "struck": r.ID})
	}
	return Row{}, noFact()
}

// put gives a row its number, id and ledger entry.
func (w *writing) put(r Row, kind string, body map[string]any) (Row, error) {
	w.seq++
	r.Seq, r.ID, r.At, r.By = w.seq, id.New("fct", 10), w.at.UTC().Truncate(time.Millisecond), w.c.by()
	body["fact"], body["seq"], body["by"] = r.ID, r.Seq, r.By
	var err error
	if r.Entry, err = w.s.ledger.Enter(w.tx, kind, r.Tenant, body); err != nil {
		return r, err
	}
	if r.Ends != 0 {
		w.standing = slices.DeleteFunc(slices.Clone(w.standing), func(x Row) bool { return x.Seq == r.Ends })
	}
	if !r.Struck() {
		w.standing = append(w.standing, r)
	}
	w.rows = append(w.rows, r)
	return r, nil
}

func (w *writing) done() error {
	if len(w.standing) > MaxStanding {
		return fault.New(fault.Conflict, "register.full", "a register has at most %d facts at once", MaxStanding).WithHint("strike what is over: domicile register strike")
	}
	if len(w.rows) == 0 {
		return nil
	}
	return w.s.store.AppendFacts(w.tx, w.rows)
}

// tenant is the customer that a choice is of.
func (l Line) tenant() string {
	if !slices.Contains(choices, l.Kind) {
		return ""
	}
	return l.key("tenant")
}

func (l Line) digest() string {
	sum := sha256.Sum256([]byte(l.Kind + " " + l.Body))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func noFact() error {
	return fault.New(fault.NotFound, "register.no_fact", "no such fact stands in the register").WithHint("domicile register list names those that do")
}
