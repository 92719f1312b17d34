package plane

import (
	"context"
	"time"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
)

// Say is a word that a tenant brings on behalf of a person.
type Say struct {
	About consent.About
	Word  string
	At    time.Time // when the person said it; zero: now
	How   string    // such as form, call, letter; "" is api
	Text  string    // version of the text; ""
}

// SayView is what somebody says about one thing.
type SayView struct {
	About          consent.About
	Word           string
	At, ReceivedAt time.Time
	How, Source    string
	Text           string
	Again          *Again // of a consent that has to be asked for again
}

// SayChange is what the person says after a word, and where that is entered.
type SayChange struct {
	Subject id.Subject // the head
	Says    []SayView
	Ledger  ledger.Ref
}

type sayOp struct {
	caller  *tenant.Caller
	subject id.Subject
	say     Say
	answer  SayChange
	effect  func(store.Tx) error
}

// Tell keeps a word of the person's. The next batch of every flow goes by it. A word that is older than
// what stands is kept in the history and changes nothing: the answer shows what stands.
//
// Errors: NotFound; Gone subject.erased; Invalid.
func (p *Plane) Tell(ctx context.Context, c *tenant.Caller, s id.Subject, say Say) (SayChange, error) {
	if say.How == "" {
		say.How = consent.API
	}
	switch sort, name := say.About.Of(); {
	case !consent.HowFits(say.How):
		return SayChange{}, fault.New(fault.Invalid, "say.bad_how", "how is up to 32 lower-case letters, digits, dashes and underscores").WithHint("such as form, call or letter")
	case !consent.TextFits(say.Text):
		return SayChange{}, fault.New(fault.Invalid, "say.bad_text_version", "text_version is up to 64 letters, digits and . _ : / + -").WithHint("such as privacy-2026-11")
	case sort != "opt_out" && p.Purpose != nil && !p.Purpose(name):
		return SayChange{}, fault.New(fault.Unprocessable, "purpose.undeclared", "the programme declares no such purpose").WithHint("see the purposes in domicile programme show")
	}
	p.name(c.Tenant, c.TenantID)
	o := &sayOp{caller: c, subject: s, say: say, effect: func(tx store.Tx) error { return store.Effect(ctx, tx) }}
	if err := p.submit(ctx, &op{say: o}); err != nil {
		return SayChange{}, err
	}
	return o.answer, nil
}

func (g *group) tellAll() error {
	for _, o := range g.ops {
		if o.say == nil {
			continue
		}
		if err := g.tellOne(o); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) tellOne(o *op) error {
	s := o.say
	head, err := g.p.headOf(g.tx, s.caller.Tenant, s.subject)
	if err != nil {
		return o.failed(err)
	}
	if err := s.effect(g.tx); err != nil {
		return o.failed(err)
	}
	people, err := g.loadHeard([]subject.Key{head.Key})
	if err != nil {
		return err
	}
	h := people[head.Key]
	now := g.now.UnixMilli()
	w := consent.Word{About: s.say.About, Word: s.say.Word, Channel: consent.API, Act: true, At: now, ReceivedAt: now,
		How: s.say.How, Source: s.caller.Token, Text: s.say.Text}
	if s.say.At.IsZero() {
		w.At = max(now, h.person.Latest(w.About)+1) // said now: after all that was said
	} else {
		w.At = consent.When(s.say.At.UnixMilli(), now)
	}
	h.say(&w)
	h.told = true
	if s.answer.Ledger, err = g.keepSaid(h, s.caller.Token); err != nil {
		return err
	}
	s.answer.Subject, s.answer.Says = head.Subject, g.p.saysOf(h.person)
	return nil
}

// saysOf is what the person says now about everything that they ever spoke about.
func (p *Plane) saysOf(who *consent.Person) []SayView {
	out := []SayView{}
	for _, a := range who.Abouts() {
		sort, _ := a.Of()
		if no := who.No(a); no != nil {
			out = append(out, standingView(no, no.No, no.NoAt))
		} else if yes := who.Yes(a); yes != nil {
			word := map[string]string{"consent": consent.Given, "objection": consent.Lifted, "opt_out": consent.In}[sort]
			v := standingView(yes, word, max(yes.YesAt, yes.ToldAt))
			if sort == "consent" {
				v.Again = p.again(who, a)
			}
			out = append(out, v)
		}
	}
	return out
}

func standingView(s *consent.Standing, word string, at int64) SayView {
	return SayView{About: s.About, Word: word, At: milli(at), ReceivedAt: milli(s.ReceivedAt), How: s.How, Source: s.Source, Text: s.Text}
}

// mostWords is how much of the history a person is shown with.
const mostWords = 200

// saidOf returns what stands for the person, and their history, the newest first.
func (p *Plane) saidOf(tx store.Tx, c *tenant.Caller, pers *somebody) (now, history []SayView, err error) {
	if pers.head.State&subject.Spoken == 0 || p.says == nil {
		return []SayView{}, nil, nil
	}
	who, err := p.says.Person(tx, c.Tenant, pers.subjects())
	if err != nil {
		return nil, nil, err
	}
	words, err := p.says.History(tx, c.Tenant, pers.subjects(), mostWords)
	if err != nil {
		return nil, nil, err
	}
	for i := range words[:min(len(words), mostWords)] {
		w := &words[i]
		history = append(history, SayView{About: w.About, Word: w.Word, At: milli(w.At), ReceivedAt: milli(w.ReceivedAt), How: w.How, Source: w.Source, Text: w.Text})
	}
	return p.saysOf(&who), history, nil
}
