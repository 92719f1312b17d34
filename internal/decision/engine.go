package decision

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cedar-policy/cedar-go/types"

	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// maxCached bounds the answers that are kept. Past it all are forgotten: distinct questions are few,
// unless somebody makes them up. Those that the data path doesn't ask aren't kept, nor those with more than
// mostKept bytes of names in them, which the API's callers could send by the megabyte.
const (
	maxCached = 1 << 14
	mostKept  = 1 << 10
)

// Engine answers questions about one programme under one book of laws, with one register. It is safe
// for concurrent use. Who has a new register makes a new Engine.
type Engine struct {
	p        *programme.Programme
	book     *law.Book
	reg      *register.Register
	policies *Policies
	version  string // of laws and policies
	plans    map[string]*plan
	mapped   map[[2]string][]string // service, kind → categories

	mu     sync.RWMutex // guards what follows
	seen   *seen
	cached map[question]*Decision
}

// seen is the register on a day, and the same for Cedar.
type seen struct {
	*register.Facts
	date    programme.Date
	record  types.Record
	tenants map[string]types.Record
}

// question is what an answer depends on, as a key. What depends on the person is four small things.
type question struct {
	pl                       *plan
	tenant, service, kind    string
	unusual                  string // what differs from the flow's own, and a case
	categories               Set
	origins, brings          Set
	day                      programme.Day
	most                     Form
	states                   State
	optOuts                  OptOut
	known, consents, objects bool
	unmet                    *register.Asking // that the consent doesn't meet
}

// New compiles p. A nil register has seen nothing; nil policies are none. without are mechanisms of the
// programme that are left out of it, as if they weren't declared.
func New(p *programme.Programme, book *law.Book, reg *register.Register, policies *Policies, without ...string) *Engine {
	e := &Engine{p: p, book: book, reg: reg, policies: policies, plans: map[string]*plan{}, mapped: map[[2]string][]string{}, cached: map[question]*Decision{}}
	if e.version = book.Version; policies != nil {
		e.version += "+" + policies.Version
	}
	for k, rules := range p.KindRules() {
		var cats []string
		for _, f := range rules {
			if !slices.Contains(cats, f.Category) {
				cats = append(cats, f.Category)
			}
		}
		slices.Sort(cats)
		e.mapped[[2]string{k.Service, k.Kind}] = cats
	}
	for i := range p.Flows {
		pl := compile(p, book, &p.Flows[i], without...)
		if reg != nil {
			pl.terms = reg.Askings.Of(pl.f.Purpose)
		}
		e.plans[p.Flows[i].ID] = pl
	}
	return e
}

// Decide answers one question, without keeping anything.
func Decide(p *programme.Programme, book *law.Book, reg *register.Register, q Question, now time.Time) *Decision {
	return New(p, book, reg, nil).Decide(&q, now)
}

// Decide answers q as of now. The Decision is shared: don't change it.
func (e *Engine) Decide(q *Question, now time.Time) *Decision {
	pl := e.plans[q.Flow]
	if pl == nil {
		return e.judge(nil, q, &seen{Facts: &register.Facts{}, date: programme.DayOf(now).Date()})
	}
	key := question{pl: pl, tenant: q.Tenant, service: q.Service, kind: q.Kind, categories: q.Categories, origins: q.Origins, brings: q.Subject.Origins, unusual: unusual(q, pl.f),
		day: programme.DayOf(now), most: q.Most, states: q.Subject.States, optOuts: q.Subject.OptOuts, known: q.Subject.Known,
		objects: slices.Contains(q.Subject.Objects, pl.f.Purpose)}
	key.consents, key.unmet = pl.consent(&q.Subject)
	e.mu.RLock()
	d, seen := e.cached[key], e.seen
	e.mu.RUnlock()
	if d != nil {
		return d
	}
	if seen == nil || seen.Day != key.day {
		seen = e.see(key.day)
	}
	d = e.judge(pl, q, seen)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = seen
	if !key.kept() {
		return d
	}
	if len(e.cached) >= maxCached {
		clear(e.cached)
	}
	e.cached[key] = d
	return d
}

func (k *question) kept() bool {
	return k.unusual == "" && len(k.tenant)+len(k.service)+len(k.kind)+len(k.categories)+len(k.origins)+len(k.brings) <= mostKept
}

// unusual is "" for a question about the flow as it is declared, as all on the data path are.
func unusual(q *Question, f *programme.Flow) string {
	same := func(asked, declared string) bool { return asked == "" || asked == declared }
	if q.Case == "" && same(q.Recipient, f.To) && same(q.Purpose, f.Purpose) && same(q.Region, f.From) {
		return ""
	}
	return strings.Join([]string{q.Recipient, q.Purpose, q.Region, q.Case}, "\x00")
}

func (e *Engine) see(day programme.Day) *seen {
	s := &seen{Facts: e.reg.At(day), date: day.Date()}
	if e.policies != nil {
		s.forCedar()
	}
	return s
}

// Filled returns the question with what the flow declares in place of what was left out.
func (e *Engine) Filled(q Question) Question {
	pl := e.plans[q.Flow]
	if pl == nil {
		return q
	}
	fill(&q, pl)
	return q
}

func fill(q *Question, pl *plan) {
	if q.Recipient == "" {
		q.Recipient = pl.f.To
	}
	if q.Purpose == "" {
		q.Purpose = pl.f.Purpose
	}
	if q.Region == "" {
		q.Region = pl.f.From
	}
	if most := formOf(pl.f.Form); q.Most < most { // who asks for more than the flow's form gets the flow's at most
		q.Most = most
	}
}

func (e *Engine) registerVersion() string {
	if e.reg == nil {
		return ""
	}
	return e.reg.Version
}

// judge answers anew.
func (e *Engine) judge(pl *plan, asked *Question, s *seen) *Decision {
	d := &Decision{Flow: asked.Flow, At: s.date, Programme: e.p.Hash, Register: e.registerVersion(), Rules: e.version, Scope: WholeFlow, Form: None,
		Legs: []Leg{}, Obligations: []Obligation{}, Laws: []string{}}
	if pl == nil {
		d.Recipient, d.Purpose = asked.Recipient, asked.Purpose
		d.Reasons = []Reason{{Effect: Denies, Code: "flow.undeclared", Says: "what is not declared is denied", Policy: "undeclared"}}
		return d
	}
	if s.Unread != "" {
		d.Recipient, d.Purpose = asked.Recipient, asked.Purpose
		d.Reasons = []Reason{{Effect: Denies, Code: "register.unread", Says: "nothing is decided on a register that can't be read", Seen: s.Unread, Policy: "register"}}
		return d
	}
	q := *asked
	fill(&q, pl)
	d.Recipient, d.Purpose, d.Basis = q.Recipient, q.Purpose, pl.basis
	w := &world{q: &q, day: s.Day, facts: s.Facts}
	w.consents, w.unmet = pl.consent(&q.Subject)
	if w.laws = pl.exporters; q.broughtAny() || q.Region != pl.f.From {
		w.laws = lawsOf(e.p, e.book, &q)
	}
	d.Laws = w.laws
	j := &judgement{e: e, pl: pl, w: w, d: d, seen: s}
	j.run()
	return d
}

// lawsOf returns the laws that apply, sorted: those of the region's country, of the entity that
// operates it, and those that the person brings. A country that nobody wrote down stands as "?" and
// its code.
func lawsOf(p *programme.Programme, book *law.Book, q *Question) []string {
	out := make([]string, 0, 4)
	add := func(country string) {
		if country == "" {
			return
		}
		id := "?" + country
		if l := book.Of(country); l != nil {
			id = l.ID
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	if r := p.Region(q.Region); r != nil {
		add(r.Country)
		if e := p.Entity(r.Entity); e != nil {
			add(e.Country)
		}
	}
	q.eachBrought(p, func(c, _ string) { add(c) })
	slices.Sort(out)
	return out
}
