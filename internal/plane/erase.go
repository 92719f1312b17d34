package plane

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"domicile.dev/internal/vault"
)

// EraseRequest says why somebody is erased and whether they must not come back.
type EraseRequest struct {
	Reason   string // kept sealed; "" for none
	Suppress bool   // refuse what comes later about any of the person's identifiers
}

// Receipt proves an erasure. It is the same however often it is asked for.
type Receipt struct {
	Receipt         string
	ErasedAt        time.Time
	UnrecoverableBy time.Time // from then on no old copy of the store can be opened either
	Records         int64     // how many records held parts of the person
	Ledger          ledger.Ref
	Already         bool
}

type eraseOp struct {
	caller  *tenant.Caller
	subject id.Subject
	req     EraseRequest
	chunk   id.Chunk // names the key of the sealed reason
	receipt Receipt
	gone    []id.Subject // all subjects that were the person; nil when they had been erased before
}

// Erase destroys the key of the person whom s belongs to, in one transaction for all subjects that
// are that person, with the ledger entry. When it returns, no read, flow or export opens anything
// of theirs, and no delivery that held something of them is on its way; it takes no longer for a person
// with many records.
//
// Errors: NotFound; Conflict hold.in_force; Unavailable erase.in_flight: they are erased, and it isn't
// known whether a delivery has ended.
func (p *Plane) Erase(ctx context.Context, c *tenant.Caller, s id.Subject, req EraseRequest) (Receipt, error) {
	p.name(c.Tenant, c.TenantID)
	e := &eraseOp{caller: c, subject: s, req: req, chunk: id.NewChunk()}
	if err := p.submit(ctx, &op{erase: e}); err != nil {
		return Receipt{}, err
	}
	if p.Attempts != nil {
		if err := p.Attempts.Cut(ctx, c.Tenant, e.gone); err != nil {
			return Receipt{}, err
		}
	}
	return e.receipt, nil
}

// eraseAll erases everybody whom this group's operations ask for.
func (g *group) eraseAll() error {
	ops := map[subject.Key][]*op{}
	need := map[subject.Key]bool{}
	for _, o := range g.ops {
		if o.erase != nil {
			k := subject.Key{Tenant: o.erase.caller.Tenant, Subject: o.erase.subject}
			ops[k] = append(ops[k], o)
			need[k] = true
		}
	}
	if len(ops) == 0 {
		return nil
	}
	if _, err := g.p.Vault.Fence(g.tx); err != nil { // receipts count from the epoch that is current now
		return err
	}
	graph := subject.NewGraph(nil)
	if err := graph.LoadRows(g.tx, g.p.Subjects, need); err != nil {
		return err
	}
	people := map[subject.Key]*erasure{}
	var gone []subject.Key
	for k, list := range ops {
		head := graph.Head(k)
		if head == nil || head.State&subject.Arriving != 0 {
			gone = append(gone, k)
			continue
		}
		e := people[head.Key]
		if e == nil {
			e = &erasure{head: head, rows: []*subject.Row{head}}
			people[head.Key] = e
		}
		e.ops = append(e.ops, list...)
	}
	if err := g.alreadyErased(ops, gone); err != nil {
		return err
	}
	return g.erasePeople(people)
}

// erasure is one person who is erased, with all subjects that are them.
type erasure struct {
	head     *subject.Row
	rows     []*subject.Row
	ops      []*op
	bindings []subject.Binding
	other    otherDigests
	records  int64
	suppress []subject.BindingKey // digests under the suppression key
}

func (g *group) alreadyErased(ops map[subject.Key][]*op, gone []subject.Key) error {
	if len(gone) == 0 {
		return nil
	}
	tombs := map[subject.Key]subject.Tomb{}
	if err := g.p.Subjects.Tombs(g.tx, gone, func(t subject.Tomb) { tombs[t.Key] = t }); err != nil {
		return err
	}
	for _, k := range gone {
		t, erased := tombs[k]
		for _, o := range ops[k] {
			if erased && t.MovedTo != "" {
				o.err = g.p.moved(k.Subject.String(), t.MovedTo, t.Move)
			} else if erased {
				o.erase.receipt = receiptOf(t)
				o.erase.receipt.Already = true
			} else {
				o.err = unknownSubject(k.Subject)
			}
		}
	}
	return nil
}

func receiptOf(t subject.Tomb) Receipt {
	return Receipt{Receipt: t.Receipt, ErasedAt: time.UnixMilli(t.ErasedAt).UTC(), UnrecoverableBy: time.UnixMilli(t.UnrecoverableBy).UTC(),
		Records: t.Records, Ledger: ledger.Ref{Entry: t.Entry, Index: t.Index}}
}

func unknownSubject(s id.Subject) error {
	return fault.New(fault.NotFound, "subject.unknown", "there is no %s", s).
		WithHint("find the subject by one of the person's identifiers with POST /api/v1/subjects:find")
}

// erased is the ledger's entry on an erasure.
type erased struct {
	Receipt         string       `json:"receipt"`
	Subject         id.Subject   `json:"subject"`          // the head
	Merged          []id.Subject `json:"merged,omitempty"` // the others, when they are few
	Members         int          `json:"members"`          // how many subjects were the person
	MembersDigest   string       `json:"members_sha256"`   // over their ids' bytes, sorted
	Records         int64        `json:"records"`
	Identifiers     int          `json:"identifiers"`
	Suppressed      int          `json:"suppressed"` // identifiers that must not come back
	UnrecoverableBy time.Time    `json:"unrecoverable_by"`
	Token           string       `json:"token"`
}

// mostNamed is how many merged subjects an entry names; all are in its digest.
const mostNamed = 16

// entryOf is the ledger's entry on the erasure of e.
func (e *erasure) entryOf(r Receipt, token string) erased {
	ids := make([]id.Subject, len(e.rows))
	for i, row := range e.rows {
		ids[i] = row.Subject
	}
	slices.SortFunc(ids, func(a, b id.Subject) int { return bytes.Compare(a[:], b[:]) })
	h := sha256.New()
	for _, s := range ids {
		h.Write(s[:])
	}
	out := erased{Receipt: r.Receipt, Subject: e.head.Subject, Members: len(ids), MembersDigest: hex.EncodeToString(h.Sum(nil)),
		Records: e.records, Identifiers: len(e.bindings), Suppressed: len(e.suppress), UnrecoverableBy: r.UnrecoverableBy, Token: token}
	if len(ids) <= mostNamed {
		out.Merged = slices.DeleteFunc(ids, func(s id.Subject) bool { return s == e.head.Subject })
	}
	return out
}

func (g *group) erasePeople(people map[subject.Key]*erasure) error {
	list := make([]*erasure, 0, len(people))
	for _, e := range people {
		if e.head.State&subject.Held != 0 && (e.head.HoldUntil == 0 || g.now.UnixMilli() < e.head.HoldUntil) {
			for _, o := range e.ops {
				o.err = held(e.head, "erased")
			}
			continue
		}
		list = append(list, e)
	}
	if len(list) == 0 {
		return nil
	}
	if err := g.gatherPeople(list, people); err != nil {
		return err
	}
	list, err := g.exceptLeaving(list)
	if err != nil || len(list) == 0 {
		return err
	}
	if err := g.suppress(list); err != nil {
		return err
	}
	if err := g.dropClaims(list); err != nil {
		return err
	}
	drafts := make([]ledger.Draft, len(list))
	receipts := make([]Receipt, len(list))
	for i, e := range list {
		first := e.ops[0].erase
		receipts[i] = Receipt{Receipt: id.New("rcp", 15), ErasedAt: g.now.UTC().Truncate(time.Millisecond),
			UnrecoverableBy: g.p.Vault.UnrecoverableBy(g.now).UTC().Truncate(time.Millisecond), Records: e.records}
		drafts[i] = ledger.Draft{Kind: "erase", Tenant: first.caller.TenantID, At: g.now, Body: e.entryOf(receipts[i], first.caller.Token)}
	}
	refs, err := g.enter(drafts...)
	if err != nil {
		return fmt.Errorf("enter erasures: %w", err)
	}
	var tombs []*subject.Tomb
	for i, e := range list {
		receipts[i].Ledger = refs[i]
		tombs = append(tombs, g.tombs(e, receipts[i])...)
		for n, o := range e.ops {
			o.erase.receipt, o.erase.gone = receipts[i], idsOf(e.rows)
			o.erase.receipt.Already = n > 0
		}
	}
	if err := g.notifyErased(list, receipts, tombs); err != nil {
		return err
	}
	if err := g.p.Subjects.Erase(g.tx, tombs); err != nil {
		return fmt.Errorf("erase keys: %w", err)
	}
	dead := make([]subject.Key, len(tombs))
	for i, t := range tombs {
		dead[i] = t.Key
		g.dead[t.Key] = true
	}
	if err := g.p.Changes.ChangeAll(g.tx, "erase", dead, g.now); err != nil {
		return err
	}
	for _, e := range list {
		for _, r := range e.rows {
			g.destroyed = append(g.destroyed, vault.Wrapped{Epoch: r.Epoch, Bytes: r.Wrapped})
		}
	}
	return nil
}

// notifyErased tells the recipients that had something of the people, while their keys are there.
func (g *group) notifyErased(list []*erasure, receipts []Receipt, tombs []*subject.Tomb) error {
	for i, e := range list {
		if err := g.sendWords("erasure", e.ops[0].erase.caller.TenantID, receipts[i].Receipt, e.rows); err != nil {
			return err
		}
	}
	if g.p.Notices == nil {
		return nil
	}
	keys := make([]subject.Key, len(tombs))
	for i, t := range tombs {
		keys[i] = t.Key
	}
	had, err := g.p.Notices.Had(g.tx, keys) // for all at once: of most people nobody had anything
	if err != nil {
		return err
	}
	for i, e := range list {
		if !slices.ContainsFunc(e.rows, func(r *subject.Row) bool { return had[r.Key] }) {
			continue
		}
		if err := g.p.Notices.Tell(g.tx, "erasure", e.ops[0].erase.caller.TenantID, receipts[i].Receipt, e.rows); err != nil {
			return fmt.Errorf("write notices of an erasure: %w", err)
		}
	}
	return nil
}

func suppresses(ops []*op) bool {
	for _, o := range ops {
		if o.erase.req.Suppress {
			return true
		}
	}
	return false
}

// gatherPeople loads the other subjects of each person, their identifiers, and counts the records.
func (g *group) gatherPeople(list []*erasure, people map[subject.Key]*erasure) error {
	p := g.p
	heads := make([]subject.Key, len(list))
	for i, e := range list {
		heads[i] = e.head.Key
	}
	if err := p.Subjects.Members(g.tx, heads, func(r subject.Row) {
		e := people[subject.Key{Tenant: r.Tenant, Subject: r.Head}]
		e.rows = append(e.rows, &r)
	}); err != nil {
		return fmt.Errorf("load members: %w", err)
	}
	if err := g.gatherThings(list); err != nil {
		return err
	}
	var all []subject.Key
	whose := map[subject.Key]*erasure{}
	for _, e := range list {
		subjects := make([]id.Subject, len(e.rows))
		for i, r := range e.rows {
			all = append(all, r.Key)
			whose[r.Key] = e
			subjects[i] = r.Subject
		}
		counts, err := p.Log.Counts(g.tx, e.head.Tenant, subjects)
		if err != nil {
			return fmt.Errorf("count records: %w", err)
		}
		for _, n := range counts {
			e.records += n
		}
	}
	if err := p.Subjects.BindingsOf(g.tx, all, func(b subject.Binding) {
		e := whose[subject.Key{Tenant: b.Tenant, Subject: b.Subject}]
		e.bindings = append(e.bindings, b)
	}); err != nil {
		return fmt.Errorf("load identifiers: %w", err)
	}
	for _, e := range list {
		g.blindErased(e)
	}
	return nil
}

// gatherThings adds to each person what stands in for the people of a thing that they take part in:
// whose those records are isn't known, so they go with the first of them.
func (g *group) gatherThings(list []*erasure) error {
	taken := map[subject.Key]bool{}
	for _, e := range list {
		for _, r := range e.rows {
			taken[r.Key] = true
		}
	}
	for _, e := range list {
		if e.head.State&subject.InThings == 0 {
			continue
		}
		rows, err := g.p.standInsOf(g.tx, e.rows)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if !taken[r.Key] {
				taken[r.Key] = true
				e.rows = append(e.rows, r)
			}
		}
	}
	return nil
}

// suppress enters every identifier of the people who must not come back. What only a browser said
// of them is entered, too, unless it is somebody else's: a stranger can't have others blocked.
func (g *group) suppress(list []*erasure) error {
	p := g.p
	for _, e := range list {
		if !suppresses(e.ops) {
			continue
		}
		tid := e.ops[0].erase.caller.TenantID
		sup := p.Vault.Suppressor(tid)
		others, err := g.heldByOthers(e)
		if err != nil {
			return err
		}
		seen := map[subject.BindingKey]bool{}
		for _, b := range e.bindings {
			if b.RetiredAt != 0 || b.Claimed && others[b.BindingKey] || seen[b.BindingKey] { // a retired one is somebody else's by now
				continue
			}
			seen[b.BindingKey] = true
			value, err := g.valueOf(tid, e.rows, b)
			if err != nil {
				return err
			}
			e.suppress = append(e.suppress, subject.BindingKey{Tenant: b.Tenant, Digest: sup.Identifier(b.Type, value)})
		}
		if len(e.suppress) == 0 {
			continue
		}
		if err := p.Subjects.Suppress(g.tx, e.suppress, sup.KeyVersion(), "erasure", g.now.UnixMilli()); err != nil {
			return fmt.Errorf("suppress: %w", err)
		}
	}
	return nil
}

// heldByOthers returns those identifiers that the person only claims and somebody else has.
func (g *group) heldByOthers(e *erasure) (map[subject.BindingKey]bool, error) {
	mine := map[id.Subject]bool{}
	for _, r := range e.rows {
		mine[r.Subject] = true
	}
	var ask []subject.BindingKey
	for _, b := range e.bindings {
		if b.Claimed {
			ask = append(ask, b.BindingKey)
		}
	}
	held := map[subject.BindingKey]bool{}
	if len(ask) == 0 {
		return held, nil
	}
	err := g.p.Subjects.Bindings(g.tx, e.other.all(ask), func(b subject.Binding) {
		if !b.Claimed && b.RetiredAt == 0 && !mine[b.Subject] {
			held[e.other.current(b.BindingKey)] = true
		}
	})
	if err != nil {
		return nil, fmt.Errorf("load who else has an identifier: %w", err)
	}
	return held, nil
}

// dropClaims deletes what others claim of the people's own identifiers: after an erasure nobody is
// found by them.
func (g *group) dropClaims(list []*erasure) error {
	var keys []subject.BindingKey
	for _, e := range list {
		var own []subject.BindingKey
		for _, b := range e.bindings {
			if !b.Claimed && b.RetiredAt == 0 && b.Type != term.AnonymousID {
				own = append(own, b.BindingKey)
			}
		}
		keys = append(keys, e.other.all(own)...)
	}
	if len(keys) == 0 {
		return nil
	}
	if err := g.p.Subjects.DropClaims(g.tx, keys); err != nil {
		return fmt.Errorf("drop claims: %w", err)
	}
	return nil
}

func (g *group) valueOf(tid string, rows []*subject.Row, b subject.Binding) ([]byte, error) {
	for _, r := range rows {
		if r.Subject != b.Subject {
			continue
		}
		key, err := g.p.open(r)
		if err != nil {
			return nil, fmt.Errorf("open key of %s: %w", r.Subject, err)
		}
		return seal.OpenBytes(key, g.p.identifierAD(tid, b.Subject, b.Type), b.Sealed)
	}
	return nil, fmt.Errorf("identifier of %s, who isn't of this person", b.Subject)
}

func (g *group) tombs(e *erasure, r Receipt) []*subject.Tomb {
	first := e.ops[0].erase
	var reason []byte
	if first.req.Reason != "" {
		key := g.p.Vault.Nobody(first.caller.TenantID, first.chunk)
		reason = seal.SealBytes(key, g.p.identifierAD(first.caller.TenantID, e.head.Subject, "erasure.reason"), []byte(first.req.Reason))
	}
	tombs := make([]*subject.Tomb, len(e.rows))
	for i, row := range e.rows {
		tombs[i] = &subject.Tomb{Key: row.Key, Head: e.head.Subject, Receipt: r.Receipt, ErasedAt: r.ErasedAt.UnixMilli(),
			UnrecoverableBy: r.UnrecoverableBy.UnixMilli(), Records: r.Records, Entry: r.Ledger.Entry, Index: r.Ledger.Index,
			ReasonChunk: first.chunk, Reason: reason, Contested: (e.head.State|row.State)&subject.Contested != 0, Spoken: (e.head.State|row.State)&subject.Spoken != 0, HadState: (e.head.State|row.State)&(subject.Restricted|subject.Held) != 0}
	}
	return tombs
}
