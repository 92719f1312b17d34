package flow

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/record"
	"domicile.dev/internal/store"
)

// scanRows is how many rows of the log are read at a time; a batch ends between two such reads.
const scanRows = 16

// Codes that stand beside those of decisions where a record is left out.
const (
	codePinned     = "tenant.pinned"        // the tenant's settings keep clear data at home
	codeAggregated = "form.aggregated_only" // this record may only be counted, and the flow doesn't count
	codeDamaged    = "record.damaged"       // a part doesn't open
	codeAlone      = "record.nobody"        // it names nobody, and the flow rests on consent
)

// question is what all records of a batch have in common.
type question struct {
	engine *decision.Engine
	f      *programme.Flow
	tenant Tenant
	now    time.Time
	most   decision.Form // the most that is asked for
	barred bool          // the tenant's pin leaves no form of use
	kinds  []*kind
	joint  map[[2]*decision.Decision]*decision.Decision // see both
}

// kind is one kind of record that a flow takes.
type kind struct {
	service, name string
	categories    []string       // that the flow takes of it
	sets          []decision.Set // by mask of categories, as far as they were met
	masks         []uint64
}

// ask prepares the question for a batch, and says what the flow as such may do.
func (r *Runner) ask(e *decision.Engine, f *programme.Flow, t Tenant, answers []decision.Answer) *question {
	q := &question{engine: e, f: f, tenant: t, now: r.now(), most: decision.FormOf(f)}
	if t.Pinned && q.most == decision.Clear {
		q.most = decision.Pseudonymised
		q.barred = f.AtLeast == decision.Clear.String()
	}
	for _, a := range answers {
		q.kinds = append(q.kinds, &kind{service: a.Service, name: a.Kind, categories: a.Categories})
	}
	return q
}

// counts says whether the flow counts records of this tenant rather than sending them: at best its
// decision is for groups of people.
func (q *question) counts() bool {
	best := decision.None
	for _, k := range q.kinds {
		d := q.decide(k, k.all(), &decision.Subject{Known: true, Consents: decision.Consented(q.f.Purpose)})
		if d.Allowed {
			best = min(best, d.Form)
		}
	}
	return best == decision.Aggregated
}

func (k *kind) all() uint64 { return 1<<len(k.categories) - 1 }

// set returns the categories of a mask.
func (k *kind) set(mask uint64) decision.Set {
	for i, m := range k.masks {
		if m == mask {
			return k.sets[i]
		}
	}
	words := make([]string, 0, bits.OnesCount64(mask))
	for i, c := range k.categories {
		if mask&(1<<i) != 0 {
			words = append(words, c)
		}
	}
	k.masks, k.sets = append(k.masks, mask), append(k.sets, decision.NewSet(words...))
	return k.sets[len(k.sets)-1]
}

// has returns the categories that the flow takes of f, as a mask.
func (k *kind) has(f *record.Found) (mask uint64) {
	for i := range f.Parts {
		if at := slices.Index(k.categories, f.Parts[i].Category); at >= 0 && at < 64 {
			mask |= 1 << at
		}
	}
	return mask
}

func (q *question) decide(k *kind, mask uint64, s *decision.Subject) *decision.Decision {
	return q.engine.Decide(&decision.Question{Flow: q.f.ID, Tenant: q.tenant.ID, Service: k.service, Kind: k.name, Categories: k.set(mask), Most: q.most, Subject: *s}, q.now)
}

// kindOf returns the flow's kind of a record, nil for one that it doesn't take. last is the one before.
func (q *question) kindOf(f *record.Found, last *kind) *kind {
	if last != nil && last.name == f.Kind && last.service == f.Service {
		return last
	}
	for _, k := range q.kinds {
		if k.name == f.Kind && k.service == f.Service {
			return k
		}
	}
	return nil
}

// page is a stretch of the log as one snapshot has it: the records that a flow could take, and what is
// known of whom they are about. A stream keeps one, and its buffers.
type page struct {
	seq      int64  // changes that the snapshot saw
	to       uint64 // the last row read
	more     bool   // there may be rows after it
	received int64  // of its newest record
	oldest   int64  // of its oldest record
	sealed   int    // bytes

	taken  []taken
	crowd  crowd
	denied []denied
}

// taken is a record that the flow could take.
type taken struct {
	f    record.Found
	kind *kind
	mask uint64

	d     *decision.Decision // once it was decided; nil or a denial: left out
	parts []picked
}

// picked is a part that the flow takes. who is its number in the crowd, -1 for nobody; ok says that it
// may leave.
type picked struct {
	part uint8
	of   uint8 // its category's number in the kind
	ok   bool
	who  int32
}

// denied is how often something was left out.
type denied struct {
	code string
	n    int64
}

func (p *page) deny(code string) {
	for i := range p.denied {
		if p.denied[i].code == code {
			p.denied[i].n++
			return
		}
	}
	p.denied = append(p.denied, denied{code, 1})
}

// limits of a page.
type limits struct {
	to             uint64 // read up to this row; 0 for what follows
	records, bytes int
	rows           int
}

// read reads the log after a position, until the limits, and everything that decisions on it need.
func (r *Runner) read(ctx context.Context, q *question, p *page, after uint64, lim limits) error {
	return r.DB.View(ctx, func(tx store.Tx) error {
		p.seq, p.to, p.more, p.received, p.oldest, p.sealed = r.Store.ChangeSeq(tx), after, true, 0, 0, 0
		p.taken, p.denied = p.taken[:0], p.denied[:0]
		p.crowd.reset()
		var last *kind
		take := func(f record.Found) error {
			if lim.to > 0 && f.At.Pos > lim.to {
				return nil
			}
			p.received = max(p.received, f.ReceivedAt)
			if p.oldest == 0 || f.ReceivedAt < p.oldest {
				p.oldest = f.ReceivedAt
			}
			k := q.kindOf(&f, last)
			if k == nil {
				return nil
			}
			if last = k; k.has(&f) != 0 {
				p.take(k, f)
			}
			return nil
		}
		for rows := 0; ; rows += scanRows {
			if len(p.taken) >= lim.records || p.sealed >= lim.bytes || rows >= lim.rows {
				break
			}
			to, err := r.Records.Scan(tx, q.tenant.No, p.to, scanRows, take)
			if err != nil {
				return err
			}
			if to == p.to {
				p.more = false
				break
			}
			if p.to = to; lim.to > 0 && to >= lim.to {
				break
			}
		}
		if lim.to > 0 {
			p.to = lim.to
		}
		return r.meet(tx, q.tenant.No, &p.crowd)
	})
}

// take notes a record and whom it is about.
func (p *page) take(k *kind, f record.Found) {
	t := taken{f: f, kind: k, mask: k.has(&f)}
	for i := range f.Parts {
		part := &f.Parts[i]
		at := slices.Index(k.categories, part.Category)
		if at < 0 || at >= 64 {
			continue
		}
		who := int32(-1)
		if !part.Subject.IsNobody() {
			who = p.crowd.add(part.Subject)
		}
		t.parts = append(t.parts, picked{part: uint8(i), of: uint8(at), who: who})
		p.sealed += len(part.Sealed)
	}
	p.taken = append(p.taken, t)
}

// nobody is what is known of no person: there is nothing to look up.
var nobody = decision.Subject{Known: true}

// decide judges every record for every person that it is about, and keeps the parts that may leave. A
// batch has one form: where decisions differ, the least of them is asked for everywhere.
func (p *page) decide(q *question) (decision.Form, error) {
	for range 3 {
		least, mixed, n := decision.Clear, false, 0
		p.denied = p.denied[:0]
		for i := range p.taken {
			t := &p.taken[i]
			if t.d = p.judge(q, t); t.d == nil {
				continue
			}
			if n++; n > 1 && t.d.Form != least {
				mixed = true
			}
			least = max(least, t.d.Form)
		}
		if !mixed {
			if n > 0 { // also where all may leave in less than was asked for: the batch is what its decisions are
				q.most = least
			}
			return least, nil
		}
		q.most = least
	}
	return 0, fmt.Errorf("flow %s: its decisions have no form in common", q.f.ID)
}

// judge returns the decision by which t leaves, nil when it doesn't, and marks the parts that may leave:
// those of each person who may, and with any of them what is about nobody.
func (p *page) judge(q *question, t *taken) *decision.Decision {
	if q.barred {
		p.deny(codePinned)
		return nil
	}
	var yes *decision.Decision
	people := false
	for i := range t.parts {
		x := &t.parts[i]
		if x.who < 0 {
			x.ok = true
			continue
		}
		if before := metBefore(t.parts[:i], x.who); before != nil {
			x.ok = before.ok
			continue
		}
		people = true
		d := q.decide(t.kind, t.mask, p.crowd.people[x.who].facts)
		switch x.ok = d.Allowed && !q.onlyCounted(d); {
		case x.ok:
			yes = q.both(yes, d)
		case d.Allowed:
			p.deny(codeAggregated)
		default:
			p.deny(codeOf(d, "denied"))
		}
	}
	if !people {
		if d := q.decide(t.kind, t.mask, &nobody); q.onlyCounted(d) {
			p.deny(codeAggregated)
		} else if d.Allowed {
			yes = d
		} else {
			p.deny(codeOf(d, codeAlone))
		}
	}
	return yes
}

// onlyCounted says whether d lets somebody be counted and no more, in a batch that sends records: the law
// that one person brings leaves them out, and nobody with them.
func (q *question) onlyCounted(d *decision.Decision) bool {
	return d.Allowed && d.Form == decision.Aggregated && q.most < decision.Aggregated
}

// both is the decision by which a record leaves that is about people of whom each may: under the laws that
// they bring, which can ask for more of one than of another.
func (q *question) both(a, b *decision.Decision) *decision.Decision {
	if a == nil || a == b {
		return b
	}
	key := [2]*decision.Decision{a, b}
	d := q.joint[key]
	if d == nil {
		if q.joint == nil {
			q.joint = map[[2]*decision.Decision]*decision.Decision{}
		}
		d = decision.Both(a, b)
		q.joint[key] = d
	}
	return d
}

func metBefore(before []picked, who int32) *picked {
	for i := range before {
		if before[i].who == who {
			return &before[i]
		}
	}
	return nil
}

func codeOf(d *decision.Decision, otherwise string) string {
	for i := range d.Reasons {
		if d.Reasons[i].Effect == decision.Denies {
			return d.Reasons[i].Code
		}
	}
	return otherwise
}
