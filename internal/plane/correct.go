package plane

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/record"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
)

// OwedStore keeps what recipients and other regions are still to be told, and what others told this one.
type OwedStore interface {
	// AnyOwed says whether a recipient had something of anybody of the tenant, or anybody came from another region.
	AnyOwed(tx store.Tx, tenant uint32) (bool, error)
	// AddCorrected notes, of those of the people of whom a recipient had something or who came from another
	// region, that identify records came in the log's rows from pos on. Where it is noted, pos stays.
	AddCorrected(tx store.Tx, people []subject.Key, pos uint64, at int64) error
	// Corrected calls each for those that were noted until then, the first first, at most limit.
	Corrected(tx store.Tx, until int64, limit int, each func(Corrected)) error
	CorrectedOf(tx store.Tx, people []subject.Key, each func(Corrected)) error
	// TakeCorrected forgets one; false: there is more by now, or it is gone.
	TakeCorrected(tx store.Tx, c Corrected) (bool, error)
	// PutOffCorrected has one looked at as if its first record had come at another time.
	PutOffCorrected(tx store.Tx, c Corrected, at int64) error

	// PutWord notes a word that another region is to get, once. Words calls each for those there are, at most limit.
	PutWord(tx store.Tx, w *Word) error
	Words(tx store.Tx, limit int, each func(*Word)) error
	PutOffWord(tx store.Tx, w *Word, at int64) error
	DropWord(tx store.Tx, w *Word) error

	// PutHeard keeps what another region told. HeardOf calls each for those of one notice of a source.
	PutHeard(tx store.Tx, h *Heard) error
	HeardOf(tx store.Tx, tenant uint32, source, notice string, each func(Heard)) error
	HeardBy(tx store.Tx, tenant uint32, id string) (*Heard, error) // nil: there is none
	// Heard calls each for those of a tenant or with 0 of all, the open first, then the newest.
	Heard(tx store.Tx, tenant uint32, limit int, each func(Heard)) error
}

// Corrected says that identify records came of somebody, which may change what recipients were given.
type Corrected struct {
	subject.Key
	Pos uint64 // of the log's row: records from it on are compared with those before it
	N   int64  // identify records since
	At  int64  // Unix ms, of the first
}

// mayCorrect notes whom an accepted identify record is about.
func (g *group) mayCorrect(e *prepared) {
	if g.p.Owed == nil || g.p.Notices == nil || e.ev.Kind.Name != identifyKind {
		return
	}
	for j := range e.says {
		s := &e.says[j]
		k := subject.Key{Tenant: s.Tenant, Subject: s.subject()}
		if g.graph != nil {
			if head := g.graph.Head(k); head != nil {
				k = head.Key
			}
		}
		g.corrected = append(g.corrected, k)
	}
}

// oweCorrections notes who of them has to be compared: one look-up for the group, and none of people while
// their tenant owes nobody anything.
func (g *group) oweCorrections() error {
	if len(g.corrected) == 0 {
		return nil
	}
	seen := make(map[subject.Key]bool, len(g.corrected))
	people := g.corrected[:0]
	for _, k := range g.corrected {
		if seen[k] {
			continue
		}
		seen[k] = true
		any, err := g.anyOwed(k.Tenant)
		if err != nil {
			return err
		}
		if any {
			people = append(people, k)
		}
	}
	g.corrected = nil
	if len(people) == 0 {
		return nil
	}
	if err := g.p.Owed.AddCorrected(g.tx, people, g.appended.FirstPos, g.now.UnixMilli()); err != nil {
		return fmt.Errorf("note who may have been corrected: %w", err)
	}
	return nil
}

// anyOwed asks once a group; that there is somebody stays true, whichever node made it so.
func (g *group) anyOwed(tenant uint32) (bool, error) {
	if any, known := g.owes[tenant]; known || g.p.owes[tenant] {
		return any || g.p.owes[tenant], nil
	}
	any, err := g.p.Owed.AnyOwed(g.tx, tenant)
	if err != nil {
		return false, fmt.Errorf("look whether anybody is owed corrections: %w", err)
	}
	if g.owes == nil {
		g.owes = map[uint32]bool{}
	}
	g.owes[tenant] = any
	if any { // also if the group fails: it is asked too much then, not too little
		g.p.owes[tenant] = true
	}
	return any, nil
}

// Times of comparing.
const (
	correctEvery = 10 * time.Second
	mostCorrect  = 100 // in one look
)

// Correct tells recipients, until ctx ends, of people of whom events changed a trait. name returns the id of a
// tenant by its number, "" for one that isn't known.
func (p *Plane) Correct(ctx context.Context, name func(uint32) string) {
	every := min(correctEvery, p.opt.CorrectAfter)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
		for more := true; more && ctx.Err() == nil; {
			var err error
			if more, err = p.CorrectOnce(ctx, name); err != nil && ctx.Err() == nil {
				p.log.Error("looking for what events corrected failed, it will be tried again", "error", err)
			}
		}
	}
}

// CorrectOnce compares those whose first identify record since the last look has come CorrectAfter ago, at
// most a hundred. It says whether there may be more.
func (p *Plane) CorrectOnce(ctx context.Context, name func(uint32) string) (more bool, err error) {
	if p.Owed == nil || p.Notices == nil {
		return false, nil
	}
	var due []Corrected
	until := p.now().Add(-p.opt.CorrectAfter).UnixMilli()
	if err := p.DB.View(ctx, func(tx store.Tx) error {
		due = due[:0]
		return p.Owed.Corrected(tx, until, mostCorrect, func(c Corrected) { due = append(due, c) })
	}); err != nil {
		return false, fmt.Errorf("list who may have been corrected: %w", err)
	}
	on := 0
	for _, d := range due { // one that fails can't keep the others waiting
		one := p.correctOrPutOff(ctx, name(d.Tenant), d)
		if one == nil {
			on++
		}
		err = errors.Join(err, one)
	}
	return len(due) == mostCorrect && on > 0, err
}

// Pauses of what can't be compared.
const (
	putOffFirst = time.Minute
	putOffMost  = 24 * time.Hour
	mostFailing = 10_000 // whose pauses grow, on one node
)

// correctOrPutOff compares one. Where that fails it is looked at again after a pause that grows from a minute
// to a day, and after a day where no tenant has its number. An error: not even that could be written.
func (p *Plane) correctOrPutOff(ctx context.Context, tid string, d Corrected) error {
	var err error
	pause := putOffMost
	if tid != "" {
		if err = p.correct(ctx, &tenant.Caller{Tenant: d.Tenant, TenantID: tid}, d); err == nil {
			delete(p.failing, d.Key)
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		pause = min(putOffMost, putOffFirst<<min(p.failing[d.Key], 20))
		if len(p.failing) < mostFailing || p.failing[d.Key] > 0 {
			p.failing[d.Key]++
		}
		p.log.Error("what events corrected of somebody can't be compared, it will be tried again", "subject", d.Subject, "pause", pause.String(), "error", err)
	}
	p.metrics.putOff.WithLabelValues(putOffReason(tid)).Inc()
	if e := p.DB.Do(ctx, func(tx store.Tx) error {
		return p.Owed.PutOffCorrected(tx, d, p.now().Add(pause-p.opt.CorrectAfter).UnixMilli())
	}); e != nil {
		return errors.Join(err, fmt.Errorf("put off a comparison: %w", e))
	}
	return nil
}

func putOffReason(tid string) string {
	if tid == "" {
		return "tenant"
	}
	return "failed"
}

// correct compares one, outside of any write, and writes what has to be told.
func (p *Plane) correct(ctx context.Context, c *tenant.Caller, d Corrected) error {
	changed := false
	err := p.view(ctx, c, func(tx store.Tx) error {
		pers, err := p.personOf(tx, d.Tenant, d.Subject)
		if err != nil {
			return err
		}
		changed, err = p.corrects(tx, c, pers, d.Pos)
		return err
	})
	if k := fault.KindOf(err); err != nil && k != fault.NotFound && k != fault.Gone && k != fault.WrongRegion {
		return fmt.Errorf("compare what is known of %s: %w", d.Subject, err)
	}
	return p.step(ctx, c, func(g *group) error {
		mine, err := p.Owed.TakeCorrected(g.tx, d)
		if err != nil || !mine || !changed { // what came meanwhile is looked at again, with this
			return err
		}
		pers, err := p.personOf(g.tx, d.Tenant, d.Subject)
		if k := fault.KindOf(err); err != nil && (k == fault.NotFound || k == fault.Gone || k == fault.WrongRegion) {
			return nil // erased, which says more
		} else if err != nil {
			return err
		}
		return g.enterCorrection(c, pers)
	})
}

// correctedBy is the ledger's entry on traits that events changed, of which recipients are told.
type correctedBy struct {
	Subject any `json:"subject"`
}

// enterCorrection writes the notices of one correction, with its entry, and the words to earlier homes.
func (g *group) enterCorrection(c *tenant.Caller, pers *somebody) error {
	receipt := ""
	enter := func() (string, error) {
		if receipt != "" {
			return receipt, nil
		}
		refs, err := g.enter(ledger.Draft{Kind: "correct", Tenant: c.TenantID, At: g.now, Body: correctedBy{pers.head.Subject}})
		if err != nil {
			return "", fmt.Errorf("enter a correction: %w", err)
		}
		receipt = refs[0].Entry.String()
		return receipt, nil
	}
	if err := g.p.Notices.Correct(g.tx, c.TenantID, pers.rows, enter); err != nil {
		return fmt.Errorf("write notices of a correction: %w", err)
	}
	f, err := g.flags(c.Tenant)
	if err != nil || !f.Came {
		return err
	}
	ups, err := g.upstreamOf(c.TenantID, pers.rows)
	if err != nil || len(ups) == 0 {
		return err
	}
	if _, err := enter(); err != nil {
		return err
	}
	return g.putWords(c.Tenant, ups, newWord(), "correction", receipt)
}

// corrects says whether identify records from pos on changed a trait that the person had before, or took it away.
func (p *Plane) corrects(tx store.Tx, c *tenant.Caller, pers *somebody, pos uint64) (bool, error) {
	now, before := newProfile(), newProfile()
	partial, err := p.eachIdentify(tx, c, pers, nil, func(f *record.Found, data []byte) {
		now.add(f, data)
		if f.At.Pos < pos {
			before.add(f, data)
		}
	})
	if err != nil {
		return false, err
	}
	is := map[string]json.RawMessage{}
	for _, t := range now.traits(p.claims).Current {
		is[t.Name] = t.Value
	}
	for _, t := range before.traits(p.claims).Current {
		if !sameJSON(t.Value, is[t.Name]) {
			return true, nil
		}
		delete(is, t.Name)
	}
	return partial && len(is) > 0, nil // it may have been there before what is read
}

func sameJSON(a, b json.RawMessage) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}
