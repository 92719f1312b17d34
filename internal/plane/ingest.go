package plane

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"strconv"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/record"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"domicile.dev/internal/vault"
)

// Result says what became of a batch. Refused lists events by their index in the request; their
// paths are masked.
type Result struct {
	Accepted  int
	Duplicate int
	Refused   []ingest.Refusal
}

// Ingest stores what is good in b, for src, and returns when it is durable. Events that can't be
// kept are in Result.Refused and cost the others nothing. An event whose client id is known for its
// source and kind is a duplicate, also when the person it was about has been erased since.
//
// Errors: Unavailable and RateLimited when nothing was stored and the client should send the same
// batch again.
func (p *Plane) Ingest(ctx context.Context, src *tenant.Source, b *ingest.Batch) (Result, error) {
	o := p.prepare(src, b)
	p.prefetch(ctx, o)
	for i := range o.events {
		o.sealFast(p, i)
	}
	if len(o.events) == 0 && len(o.refused) == 0 {
		return Result{}, nil
	}
	if err := p.Log.Pace(ctx); err != nil {
		return Result{}, &fault.Error{Kind: fault.Unavailable, Reason: "record.behind", Public: "the region's index is behind its records",
			Hint: "send the same request again after the time in Retry-After", RetryAfterSeconds: 2, Err: err}
	}
	if err := p.submit(ctx, &op{ingest: o}); err != nil {
		return Result{}, err
	}
	return o.result(), nil
}

// ingestOp is one request on its way into a commit group. Until its group is durable it keeps the
// decoded batch, since people may be gone by then and events have to be sealed anew.
type ingestOp struct {
	src     *tenant.Source
	events  []prepared
	chunk   record.Chunk
	index   *vault.IndexKeys // under which identifiers are blind
	parts   uint32           // nonce counters handed out; never goes back, whatever runs again
	arena   []byte           // what sealed parts lie in
	scratch []byte
	packed  []byte
	bytes   int
	refused []ingest.Refusal
	outcome outcome

	unplanned []*ingest.Event // refused by their plan
}

// outcome is what the group's transaction decided; it is reset whenever that runs again.
type outcome struct {
	accepted, duplicate int
	refused             []ingest.Refusal
}

// prepared is one event with what its identifiers say.
type prepared struct {
	ev     *ingest.Event
	key    [12]byte // blind client id; zero when the client gave none
	says   []said
	speech *speech // what it says of consent; nil: nothing
	things []thing // what it is about, the closest first
	// unnamed says that it is about somebody whom only its things tell; says is then made anew by each run.
	unnamed bool
	sealed  record.Sealed
	fast    bool // sealed outside of the transaction, for people known to this node
	retried bool // it came before, with somebody who moved here
}

// said is what an event says of one person, and who that is.
type said struct {
	subject.Say
	role string
	who  *person      // known to this node
	row  *subject.Row // resolved in the transaction
	skey *seal.Key

	country     string // that the event declares for the person, "" for none
	countryPath int    // at which of the tenant's paths it stood
}

func (o *ingestOp) result() Result {
	return Result{Accepted: o.outcome.accepted, Duplicate: o.outcome.duplicate,
		Refused: append(append([]ingest.Refusal(nil), o.refused...), o.outcome.refused...)}
}

// prepare canonicalises and blinds the identifiers of every good event of b.
func (p *Plane) prepare(src *tenant.Source, b *ingest.Batch) *ingestOp {
	p.name(src.Tenant, src.TenantID)
	now := p.now().UnixMilli()
	o := &ingestOp{src: src, chunk: record.Chunk{ID: id.NewChunk(), Tenant: src.Tenant, ReceivedAt: now},
		events: make([]prepared, 0, len(b.Events))}
	o.index = p.Vault.IndexKeys()
	blind, clients := blindUnder(o.index, src.TenantID), p.Vault.Clients(src.TenantID)
	all := make([]said, 0, len(b.Events)) // one a Segment event
	idents := make([]subject.Identifier, 0, 2*len(b.Events))
	spoken := speeches{choices: func() []consent.Choice { return p.choicesOf(src) }}
	places := placesOf(src)
	for i := range b.Events {
		ev := &b.Events[i]
		if ev.Refused != nil {
			r := *ev.Refused
			r.Path = b.Path(ev)
			o.refused = append(o.refused, r)
			if len(ev.Findings) > 0 && refusedByPlan(ev) {
				o.unplanned = append(o.unplanned, ev)
			}
			continue
		}
		e := prepared{ev: ev}
		if len(ev.ClientID) > 0 {
			e.key = clients.ClientKey(src.ID, ev.Kind.Service+"/"+ev.Kind.Name, ev.Qualifier, ev.ClientID)
		}
		from, bad := len(all), ""
		for j := range ev.Identifiers {
			in := &ev.Identifiers[j]
			if in.Role == term.RoleOwn {
				continue
			}
			value, ok := subject.Canonical(in.Type, in.Value)
			if !ok {
				if in.Listed > 0 && bad == "" {
					bad = ev.List + "." + strconv.Itoa(int(in.Listed)-1) + ".value"
				}
				continue
			}
			s := o.sayOf(&all, from, in.Role, ev, now)
			k := len(idents)
			idents = append(idents, blind.identifier(in.Type, value))
			if s.Identifiers == nil {
				s.Identifiers = idents[k : k+1 : k+1]
			} else {
				s.Identifiers = append(s.Identifiers, idents[k])
			}
			if in.Role == roleFormer {
				former := idents[k]
				s.Former = &former
			}
			if in.Role == rolePrevious {
				previous := blind.identifier(term.UserID, value)
				s.Previous = &previous
			}
		}
		if bad != "" { // a list is the client's own word on who is in it: nobody in it is to be forgotten
			o.refused = append(o.refused, ingest.Refusal{Index: ev.Index, Reason: "event.bad_identifier", Path: bad})
			continue
		}
		e.says = all[from:len(all):len(all)]
		if people, size := max(len(e.says), 1), contentBytes(ev); people*size > maxRecordBytes {
			o.refused = append(o.refused, ingest.Refusal{Index: ev.Index, Reason: "event.too_large"})
			continue
		}
		if len(e.says) > maxPeople || len(e.says)*len(ev.Fragments) > record.MaxParts {
			o.refused = append(o.refused, ingest.Refusal{Index: ev.Index, Reason: "event.too_many_people"})
			continue
		}
		if len(e.says) == 0 && len(ev.Identifiers) > 0 && !onlyOwn(ev) {
			o.refused = append(o.refused, ingest.Refusal{Index: ev.Index, Reason: "event.bad_identifier"})
			continue
		}
		places.read(&e)
		if p.says != nil {
			e.speech = spoken.of(o, b.GPC && src.Trust == term.Public, ev)
		}
		e.things = p.thingsOf(src, ev)
		e.unnamed = len(e.things) > 0 && len(e.says) == 0 && !ev.Owned()
		for j := range ev.Fragments {
			o.bytes += len(ev.Fragments[j].JSON)/2 + seal.Overhead // about what it packs to
		}
		o.events = append(o.events, e)
	}
	return o
}

// maxRecordBytes bounds a record's content times the people in it: what several people were sent is
// sealed once for each.
const maxRecordBytes = 8 << 20

func contentBytes(ev *ingest.Event) (n int) {
	for i := range ev.Fragments {
		n += len(ev.Fragments[i].JSON)
	}
	return n
}

// maxPeople bounds how many people one record may be about.
const maxPeople = 64

// rolePrevious marks the previous id of an alias; the person is the record's subject. roleFormer
// marks what the record's sender gives up.
const (
	rolePrevious = ingest.RolePrevious
	roleFormer   = ingest.RoleFormer
)

func onlyOwn(ev *ingest.Event) bool {
	for i := range ev.Identifiers {
		if ev.Identifiers[i].Role != term.RoleOwn {
			return false
		}
	}
	return true
}

// sayOf returns what is said of the person with that role: all identifiers of the subject and of
// the sender are one person's, each recipient and participant is a person of their own.
func (o *ingestOp) sayOf(all *[]said, from int, role string, ev *ingest.Event, now int64) *said {
	switch role {
	case "", rolePrevious:
		role = term.RoleSubject
	case roleFormer:
		role = term.RoleSender
	}
	if role == term.RoleSubject || role == term.RoleSender {
		for i := from; i < len(*all); i++ {
			if s := &(*all)[i]; s.role == role {
				if o.src.Adapter == term.AdapterNative {
					s.Join = true
				}
				return s
			}
		}
	}
	*all = append(*all, said{role: role, Say: subject.Say{Tenant: o.src.Tenant, Join: ev.Op != ingest.OpNone,
		Trust: o.src.Trust, Source: o.src.ID, At: now, Occurred: ev.OccurredAt}})
	return &(*all)[len(*all)-1]
}

// sealFast seals event i if everybody in it is known to this node. Whether they still are is looked
// at again in the transaction.
func (o *ingestOp) sealFast(p *Plane, i int) {
	e := &o.events[i]
	if len(e.things) > 0 { // who takes part is in the store
		return
	}
	for j := range e.says {
		s := &e.says[j]
		if s.who = p.people.known(&s.Say); s.who == nil {
			return
		}
		s.skey = s.who.key
	}
	e.fast = true
	p.seal(o, e)
}

// known returns whom s names when that needs no look into the store.
func (c *people) known(s *subject.Say) *person {
	primary := s.Primary()
	if s.Trust == term.Public && (s.Join || primary.Type != term.AnonymousID && primary.Type != term.UserID) || s.Previous != nil || s.Former != nil {
		return nil
	}
	who := c.get(subject.BindingKey{Tenant: s.Tenant, Digest: primary.Digest})
	if who == nil || s.Trust == term.Server && !who.trusted { // that a server source speaks of them is news
		return nil
	}
	if !s.Join {
		return who
	}
	for i := range s.Identifiers {
		if c.get(subject.BindingKey{Tenant: s.Tenant, Digest: s.Identifiers[i].Digest}) != who {
			return nil
		}
	}
	return who
}

// subject returns whom the say is about.
func (s *said) subject() id.Subject {
	if s.row != nil {
		return s.row.Subject
	}
	return s.who.Subject
}

// seal turns an event into a record: one part per fragment and person it is about.
func (p *Plane) seal(o *ingestOp, e *prepared) {
	ev := e.ev
	rec := id.Record{Chunk: o.chunk.ID, Ordinal: uint32(ev.Index)}
	bind := p.binder(o.src.TenantID)
	first := firstFragment(ev)
	parts := make([]record.Part, 0, len(ev.Fragments))
	var shape [24]uint16
	categories := shape[:0]
	var people [4]id.Subject
	told := people[:0] // whose parts have the client id in them
	if len(e.says) > 0 {
		told = append(told, id.Nobody) // it names the people's record, so it goes with them
	}
	for n := range ev.Fragments {
		at := n
		if n == 0 {
			at = first
		} else if n <= first {
			at = n - 1
		}
		f := &ev.Fragments[at]
		put := func(s id.Subject, k *seal.Key) {
			named := slices.Contains(told, s)
			if !named {
				told = append(told, s)
			}
			packed := o.pack(ev, f.JSON, !named)
			start := len(o.arena)
			if need := len(packed) + seal.Overhead; cap(o.arena)-start < need {
				o.arena = make([]byte, 0, max(16<<10, need))
				start = 0
			}
			o.arena = bind.Seal(o.arena, k, s, rec, o.parts, f.Category, packed)
			parts = append(parts, record.Part{Subject: s, Sealed: o.arena[start:len(o.arena):len(o.arena)], N: o.parts})
			categories = append(categories, p.shapes.category(f.Category))
			o.parts++
		}
		mine := 0
		if f.Owner != term.OwnerNobody {
			for _, s := range owners(e.says, f.Owner) {
				put(s.subject(), s.skey)
				mine++
			}
		}
		if mine == 0 {
			put(id.Nobody, p.Vault.Nobody(o.src.TenantID, o.chunk.ID))
		}
	}
	e.sealed = record.Sealed{Ordinal: rec.Ordinal, OccurredAt: ev.OccurredAt, ClientKey: e.key, Parts: parts,
		Shape: p.shapes.of(p.Rules, ev.Kind, o.src.ID, categories)}
}

// pack returns a part's content as it is sealed: the client id in front, in one part of each person,
// so that what outlives another's erasure still has its name. It is good until the next call.
func (o *ingestOp) pack(ev *ingest.Event, json []byte, named bool) []byte {
	plain := o.scratch[:0]
	if named {
		plain = binary.AppendUvarint(plain, uint64(len(ev.ClientID)))
		plain = append(plain, ev.ClientID...)
	} else {
		plain = append(plain, 0)
	}
	plain = append(plain, json...)
	o.scratch = plain
	o.packed = seal.Pack(o.packed[:0], plain)
	return o.packed
}

// firstFragment returns the fragment that gets the client id in front: the one that holds it
// anyway, since there it costs next to nothing.
func firstFragment(ev *ingest.Event) int {
	if len(ev.ClientID) > 0 {
		for i := range ev.Fragments {
			if bytes.Contains(ev.Fragments[i].JSON, ev.ClientID) {
				return i
			}
		}
	}
	return 0
}

// owners yields the people whom a fragment is about (design 6, "Records at rest"): content is its
// writer's, and what the tenant wrote is each recipient's. A side that is the tenant's own has no
// person, and then it is everybody's in the record, so that it goes when they go.
func owners(says []said, owner string) []*said {
	var out [8]*said
	list := out[:0]
	pick := func(role string) {
		for i := range says {
			if says[i].role == role {
				list = append(list, &says[i])
			}
		}
	}
	if owner == term.OwnerWriter {
		for _, role := range []string{term.RoleSender, term.RoleRecipient, term.RoleSubject, term.RoleParticipant} {
			if pick(role); len(list) > 0 {
				return list
			}
		}
		return nil
	}
	if owner == "" {
		owner = term.RoleSubject
	}
	if pick(owner); len(list) == 0 {
		for i := range says {
			list = append(list, &says[i])
		}
	}
	return list
}
