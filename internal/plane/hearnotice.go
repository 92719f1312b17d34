package plane

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/record"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// HeardState is what became of something that another region told this one about a person.
type HeardState string

// States of what was heard.
const (
	HeardDone   HeardState = "done"   // by this region, or there was nothing to do
	HeardOpen   HeardState = "open"   // for a person to decide
	HeardClosed HeardState = "closed" // somebody has decided
)

// Heard is what another region told about one person (GDPR art. 19), from whom a flow brought data here.
type Heard struct {
	Tenant  uint32
	ID      string // "hrd_…"
	Source  string // by which the flow comes
	Notice  string // its id at the other region, "ntc_…"
	Subject id.Subject
	Kind    string
	State   HeardState
	Reason  string // a code; "" when it was simply done
	At      int64  // Unix ms
	DoneAt  int64  // Unix ms, 0 while it is open
	Entry   id.Entry
}

// Why something that was heard is open, or was done in another way than by doing it.
const (
	heardNobody  = "subject.unknown"      // done: nobody here is known by these names, or nobody any more
	heardShared  = "subject.shared"       // open: others than the flow's source know the person, too
	heardMoved   = "subject.moved"        // open: the person lives in another region
	heardAlready = "restriction.already"  // done: the person was restricted here before
	heardNotOurs = "restriction.not_ours" // open: the restriction was made here, or changed since
	heardFollows = "records.follow"       // done: what is known comes by the flow, and so do the new records
)

// NoticeIn is a notice as another region sends it.
type NoticeIn struct {
	ID       string // "ntc_…"
	Kind     string
	Subjects []string // what this region calls the person: sub_… or psn_…
}

// The identifiers under which flows of other regions bring people (internal/flow/region).
const (
	typePeerSubject   = "domicile_subject"
	typePeerPseudonym = "domicile_pseudonym"
)

// MostNoticeNames is how many names one NoticeIn may have.
const MostNoticeNames = 1000

// mostPeerRecords is how many records of a person are looked at; one with more is left open.
const mostPeerRecords = 20_000

var (
	noticeIDs = regexp.MustCompile(`^ntc_[a-z2-7]{20}$`)
	peerNames = regexp.MustCompile(`^(sub_[a-z2-7]{20}|psn_[a-z2-7]{26})$`)
)

// names returns the identifiers that a notice speaks of.
func (n *NoticeIn) names() ([]Identifier, error) {
	if !noticeIDs.MatchString(n.ID) || !slices.Contains(wordKinds, n.Kind) || len(n.Subjects) == 0 || len(n.Subjects) > MostNoticeNames {
		return nil, fault.New(fault.Invalid, "notice.malformed", "that is no notice of a region").WithHint("docs/connectors.md says what one is")
	}
	out := make([]Identifier, len(n.Subjects))
	for i, s := range n.Subjects {
		if !peerNames.MatchString(s) {
			return nil, fault.New(fault.Invalid, "notice.malformed", "subjects[%d] is no name of a person", i)
		}
		typ := typePeerPseudonym
		if strings.HasPrefix(s, "sub_") {
			typ = typePeerSubject
		}
		out[i] = Identifier{Type: typ, Value: s}
	}
	return out, nil
}

// HearNotice does what another region tells of people whose data it sent by src, and returns when that is
// durable. It does so of those alone whom src alone knows here; of everybody else it leaves an open item
// for somebody to decide. Again: it changes nothing.
//
// Errors: Invalid notice.malformed; Forbidden notice.source; Unavailable: try again.
func (p *Plane) HearNotice(ctx context.Context, src *tenant.Source, in NoticeIn) error {
	ids, err := in.names()
	if err != nil {
		return err
	}
	if src.Adapter != term.AdapterNative || src.Trust != term.Server || p.Owed == nil {
		return fault.New(fault.Forbidden, "notice.source", "this source takes no notices").WithHint("give the key of a native server source")
	}
	idents, err := canonical(ids)
	if err != nil {
		return err
	}
	c := &tenant.Caller{Tenant: src.Tenant, TenantID: src.TenantID, Token: src.ID}
	p.name(c.Tenant, c.TenantID)
	var people []peerPerson
	var away error
	if err := p.view(ctx, c, func(tx store.Tx) (err error) {
		people, away, err = p.peerPeople(tx, c, src, idents)
		return err
	}); err != nil {
		return err
	}
	for i := range people {
		if err := p.hearOf(ctx, c, src, &in, &people[i]); err != nil {
			return err
		}
	}
	if len(people) > 0 && away == nil {
		return nil
	}
	return p.step(ctx, c, func(g *group) error { return g.hearOfNobody(c, src, &in, away) })
}

// peerPerson is somebody of whom another region tells.
type peerPerson struct {
	head  id.Subject
	alone bool            // only the flow's source knows them
	last  record.Location // of their newest record that was looked at
}

// peerPeople returns who is known by these identifiers, and away when one of them moved to another region.
func (p *Plane) peerPeople(tx store.Tx, c *tenant.Caller, src *tenant.Source, idents []subject.Identifier) (people []peerPerson, away, err error) {
	index, err := p.Vault.IndexAt(tx)
	if err != nil {
		return nil, nil, err
	}
	blind, sup := blindUnder(index, c.TenantID), p.Vault.Suppressor(c.TenantID)
	digests, left := make([]subject.Digest, len(idents)), make([]subject.BindingKey, len(idents))
	for i := range idents {
		blind.set(&idents[i])
		digests[i] = idents[i].Digest
		left[i] = subject.BindingKey{Tenant: c.Tenant, Digest: sup.Identifier(idents[i].Type, idents[i].Value)}
	}
	graph := subject.NewGraph(nil)
	graph.Want(&subject.Say{Tenant: c.Tenant, Identifiers: idents, Join: true})
	if err := graph.Load(tx, p.Subjects); err != nil {
		return nil, nil, err
	}
	heads, _ := graph.Find(c.Tenant, digests)
	for _, head := range heads {
		one := peerPerson{head: head}
		pers, err := p.personOf(tx, c.Tenant, head)
		if err != nil {
			return nil, nil, err
		}
		if one.alone, err = p.onlyOf(tx, src, pers); err == nil && one.alone {
			one.alone, one.last, err = p.recordsOf(tx, src, pers)
		}
		if err != nil {
			return nil, nil, err
		}
		people = append(people, one)
	}
	if away = p.whereTo(tx, left); away != nil && fault.KindOf(away) != fault.WrongRegion {
		return nil, nil, away
	}
	return people, away, nil
}

// onlyOf says whether all that makes the person findable was said by src.
func (p *Plane) onlyOf(tx store.Tx, src *tenant.Source, pers *somebody) (bool, error) {
	alone := pers.head.State&subject.InThings == 0
	if err := p.Subjects.BindingsOf(tx, keysOfRows(pers.rows), func(b subject.Binding) {
		alone = alone && b.Source == src.ID && (b.Type == typePeerSubject || b.Type == typePeerPseudonym)
	}); err != nil {
		return false, fmt.Errorf("load identifiers: %w", err)
	}
	return alone, nil
}

// recordsOf says whether all records of the person came by src, and which is the newest.
func (p *Plane) recordsOf(tx store.Tx, src *tenant.Source, pers *somebody) (alone bool, last record.Location, err error) {
	q := record.Query{Oldest: true, Limit: profilePage}
	for read, more := 0, true; more; {
		var found []record.Found
		if found, more, err = p.Log.Find(tx, src.Tenant, pers.subjects(), q); err != nil {
			return false, last, fmt.Errorf("look for records: %w", err)
		}
		for i := range found {
			if found[i].Source != src.ID {
				return false, last, nil
			}
			last = found[i].At
		}
		q.After = last
		if read += len(found); read > mostPeerRecords {
			return false, last, nil
		}
		more = more && len(found) > 0
	}
	return true, last, nil
}

// hearOf does what is told of one person, or leaves it open.
func (p *Plane) hearOf(ctx context.Context, c *tenant.Caller, src *tenant.Source, in *NoticeIn, who *peerPerson) error {
	var gone []id.Subject
	err := p.step(ctx, c, func(g *group) error {
		gone = nil
		h := Heard{Subject: who.head, State: HeardOpen}
		if was, err := g.heardAlready(c, src, in, who.head); err != nil || was {
			return err
		}
		pers, err := p.personOf(g.tx, c.Tenant, who.head)
		if k := fault.KindOf(err); err != nil && (k == fault.Internal || k == fault.Unavailable) {
			return err
		} else if err != nil || pers.head.Subject != who.head {
			return refused{heardLater()} // joined or gone meanwhile
		}
		alone := who.alone
		if alone {
			more, _, err := p.Log.Find(g.tx, c.Tenant, pers.subjects(), record.Query{After: who.last, Limit: 1, Oldest: true})
			if err != nil {
				return fmt.Errorf("look for further records: %w", err)
			}
			if len(more) > 0 {
				return refused{heardLater()}
			}
			if alone, err = p.onlyOf(g.tx, src, pers); err != nil {
				return err
			}
		}
		if h.Reason = heardShared; alone {
			if gone, err = g.doHeard(c, in, pers, &h); err != nil {
				return err
			}
		}
		return g.noteHeard(c, src, in, &h)
	})
	if err == nil && len(gone) > 0 && p.Attempts != nil {
		err = p.Attempts.Cut(ctx, c.Tenant, gone)
	}
	return err
}

func heardLater() error {
	return &fault.Error{Kind: fault.Unavailable, Reason: "notice.later", Public: "something is happening to the person", Hint: "send the same notice again", RetryAfterSeconds: 1}
}

// heardReason is the reason of a restriction that was made on another region's notice. By it a lift
// knows its own: whoever restricts the person anew replaces it.
func heardReason(c *tenant.Caller) string { return "notice of another region by " + c.Token }

// doHeard does it to somebody whom the flow alone knows, and says in h how that went.
func (g *group) doHeard(c *tenant.Caller, in *NoticeIn, pers *somebody, h *Heard) (gone []id.Subject, err error) {
	h.State, h.Reason = HeardDone, ""
	switch in.Kind {
	case "erasure":
		return g.eraseHeard(c, in, pers, h)
	case "restriction":
		if pers.head.State&subject.Restricted != 0 {
			h.Reason = heardAlready
			return nil, nil
		}
		return nil, g.stateHeard(&stateOp{caller: c, subject: h.Subject, verb: "restrict", set: subject.Restricted, reason: heardReason(c)})
	case "restriction_lifted":
		if pers.head.State&subject.Restricted == 0 {
			return nil, nil
		}
		why, err := g.p.reasonsOf(g.tx, c, pers)
		if err != nil {
			return nil, err
		}
		if why["restricted"] != heardReason(c) {
			h.State, h.Reason = HeardOpen, heardNotOurs
			return nil, nil
		}
		return nil, g.stateHeard(&stateOp{caller: c, subject: h.Subject, verb: "unrestrict", unset: subject.Restricted})
	}
	h.Reason = heardFollows
	return nil, nil
}

func (g *group) eraseHeard(c *tenant.Caller, in *NoticeIn, pers *somebody, h *Heard) ([]id.Subject, error) {
	if _, err := g.p.Vault.Fence(g.tx); err != nil {
		return nil, err
	}
	e := &eraseOp{caller: c, subject: h.Subject, req: EraseRequest{Reason: heardReason(c) + ", " + in.ID}, chunk: id.NewChunk()}
	o := &op{erase: e}
	head := pers.head
	if err := g.erasePeople(map[subject.Key]*erasure{head.Key: {head: head, rows: []*subject.Row{head}, ops: []*op{o}}}); err != nil {
		return nil, err
	}
	switch {
	case fault.ReasonOf(o.err) == "move.under_way":
		return nil, refused{heardLater()}
	case o.err != nil: // a hold
		h.State, h.Reason = HeardOpen, fault.ReasonOf(o.err)
	}
	return e.gone, nil
}

func (g *group) stateHeard(s *stateOp) error {
	s.effect = func(store.Tx) error { return nil }
	o := &op{state: s}
	if err := g.changeState(o); err != nil {
		return err
	}
	return o.err
}

// heardAlready says whether the notice was heard of that person before.
func (g *group) heardAlready(c *tenant.Caller, src *tenant.Source, in *NoticeIn, of id.Subject) (was bool, err error) {
	err = g.p.Owed.HeardOf(g.tx, c.Tenant, src.ID, in.ID, func(h Heard) { was = was || h.Subject == of })
	if err != nil {
		return false, fmt.Errorf("look what was heard: %w", err)
	}
	return was, nil
}

// hearOfNobody notes that there was nobody to do it to, unless it was done before.
func (g *group) hearOfNobody(c *tenant.Caller, src *tenant.Source, in *NoticeIn, away error) error {
	any := false
	if err := g.p.Owed.HeardOf(g.tx, c.Tenant, src.ID, in.ID, func(h Heard) { any = any || away == nil || h.Subject.IsNobody() }); err != nil {
		return fmt.Errorf("look what was heard: %w", err)
	}
	if any {
		return nil
	}
	h := Heard{State: HeardDone, Reason: heardNobody}
	if away != nil {
		h.State, h.Reason = HeardOpen, heardMoved
	}
	return g.noteHeard(c, src, in, &h)
}

// heardEntry is the ledger's entry on what another region told, and on its end.
type heardEntry struct {
	ID      string     `json:"id"`
	Notice  string     `json:"notice"`
	Kind    string     `json:"kind"`
	Source  string     `json:"source"`
	Subject id.Subject `json:"subject"`
	State   HeardState `json:"state"`
	Reason  string     `json:"reason,omitempty"`
	Token   string     `json:"token"`
}

func (g *group) noteHeard(c *tenant.Caller, src *tenant.Source, in *NoticeIn, h *Heard) error {
	h.Tenant, h.ID, h.Source, h.Notice, h.Kind, h.At = c.Tenant, id.New("hrd", 15), src.ID, in.ID, in.Kind, g.now.UnixMilli()
	if h.State == HeardDone {
		h.DoneAt = h.At
	}
	return g.putHeard(c, h)
}

func (g *group) putHeard(c *tenant.Caller, h *Heard) error {
	refs, err := g.enter(ledger.Draft{Kind: "notice.heard", Tenant: c.TenantID, At: g.now, Body: heardEntry{h.ID, h.Notice, h.Kind, h.Source, h.Subject, h.State, h.Reason, c.Token}})
	if err != nil {
		return fmt.Errorf("enter what was heard: %w", err)
	}
	h.Entry = refs[0].Entry
	if err := g.p.Owed.PutHeard(g.tx, h); err != nil {
		return fmt.Errorf("keep what was heard: %w", err)
	}
	return nil
}

// mostHeard is how many are listed.
const mostHeard = 1000

// HeardNotices lists what other regions told, the open first, then the newest; a tenant's own, and to the
// operator everybody's. At most 1,000.
func (p *Plane) HeardNotices(ctx context.Context, c *tenant.Caller) (out []Heard, err error) {
	one := c.Tenant
	if c.Operator {
		one = 0
	} else if one == 0 || p.Owed == nil {
		return nil, nil
	}
	err = p.DB.View(ctx, func(tx store.Tx) error {
		out = out[:0]
		return p.Owed.Heard(tx, one, mostHeard, func(h Heard) { out = append(out, h) })
	})
	if err != nil {
		return nil, fmt.Errorf("list what was heard: %w", err)
	}
	return out, nil
}

// CloseHeard notes that somebody has decided on what was left open, which is in the ledger with their
// token. Again: it changes nothing.
//
// Errors: NotFound heard.unknown.
func (p *Plane) CloseHeard(ctx context.Context, c *tenant.Caller, heard string) (out Heard, err error) {
	err = p.step(ctx, c, func(g *group) error {
		h, err := p.Owed.HeardBy(g.tx, c.Tenant, heard)
		if err != nil {
			return fmt.Errorf("load what was heard: %w", err)
		}
		if h == nil {
			return refused{fault.New(fault.NotFound, "heard.unknown", "there is no such notice here").WithHint("list them with GET /api/v1/heard-notices")}
		}
		if h.State == HeardOpen {
			h.State, h.DoneAt = HeardClosed, g.now.UnixMilli()
			if err := g.putHeard(c, h); err != nil {
				return err
			}
		}
		out = *h
		return nil
	})
	return out, err
}
