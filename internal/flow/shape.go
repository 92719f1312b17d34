package flow

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/form"
	"domicile.dev/internal/id"
	"domicile.dev/internal/record"
	"domicile.dev/internal/seal"
)

// maxPartBytes bounds what one part unpacks to, as for a reader.
const maxPartBytes = 8 << 20

// built is a batch that is ready to be entered and sent.
type built struct {
	seq                     int64 // changes that the snapshot saw
	from, to                uint64
	received                int64
	windowFrom, windowUntil int64 // of an aggregated one
	window                  int64 // the end of the last window that is done with, once it is
	form                    decision.Form
	body                    []byte
	lines                   int
	records                 []id.Record
	people                  []id.Subject // heads, whom the recipient gets something of
	subjects                []byte       // packed: whom the attempt holds
	kinds                   []kindCount
	denied                  []denied
	refused                 parked            // single records that the recipient didn't take
	digest                  [sha256.Size]byte // over the sealed parts
}

// kindCount is how many records of one decision are in a batch.
type kindCount struct {
	kind *kind
	d    *decision.Decision
	n    int
	of   []int // records that have something of each of the kind's categories
}

// opener opens parts; its buffers are kept.
type opener struct {
	bind   *seal.Binder
	packed []byte
	plain  [][]byte
	record form.Record
	hash   hash.Hash
	body   []byte
}

func (o *opener) begin(region, tenant string) {
	if o.bind == nil {
		o.bind, o.hash = seal.NewBinder(region, tenant), sha256.New()
	}
	o.hash.Reset()
}

// shape opens what may leave of a page and writes it down.
func (r *Runner) shape(q *question, p *page, o *opener, sh Shaper, b *built) error {
	o.begin(r.Region, q.tenant.ID)
	b.body, b.records = o.body[:0], make([]id.Record, 0, len(p.taken))
	sent := make([]bool, len(p.crowd.people))
	for i := range p.taken {
		t := &p.taken[i]
		if t.d == nil {
			continue
		}
		if t.d.Form == decision.Aggregated {
			p.deny(codeAggregated)
			continue
		}
		ok, err := r.open(q, p, o, t)
		if err != nil {
			return err
		} else if !ok {
			p.deny(codeDamaged)
			continue
		}
		before := len(b.body)
		switch b.body, err = sh.Shape(b.body, &o.record, t.d); {
		case fault.KindOf(err) == fault.Invalid:
			r.log.ErrorContext(context.Background(), "a record can't be written and is left out of a flow", "record", t.f.ID.String(), "error", err)
			p.deny(codeDamaged)
			continue
		case err != nil:
			return fmt.Errorf("shape %s: %w", t.f.ID, err)
		}
		if len(b.body) == before {
			continue // nothing is left of it in that form
		}
		b.lines++
		b.records = append(b.records, t.f.ID)
		b.count(t)
		for _, x := range t.parts {
			if x.ok && x.who >= 0 {
				sent[x.who] = true
			}
		}
	}
	o.body = b.body[:0]
	o.hash.Sum(b.digest[:0])
	b.form, b.denied = q.most, p.denied
	b.hold(&p.crowd, sent)
	return nil
}

// count notes a record by its decision. Decisions that the entry says the same of are one: whose law was
// asked is no more in it than who they are.
func (b *built) count(t *taken) {
	at := slices.IndexFunc(b.kinds, func(k kindCount) bool { return k.kind == t.kind && (k.d == t.d || decision.Alike(k.d, t.d)) })
	if at < 0 {
		at = len(b.kinds)
		b.kinds = append(b.kinds, kindCount{kind: t.kind, d: t.d, of: make([]int, len(t.kind.categories))})
	}
	k := &b.kinds[at]
	k.n++
	var met uint64
	for i := range t.parts {
		if x := &t.parts[i]; x.ok && met&(1<<x.of) == 0 {
			met |= 1 << x.of
			k.of[x.of]++
		}
	}
}

// hold lists whom the batch is about: the persons for the recipient's list, and with them the subjects
// under whose keys the parts were, for whoever erases one of them.
func (b *built) hold(c *crowd, sent []bool) {
	var all []id.Subject
	met := make(map[id.Subject]bool, len(c.people))
	for n, is := range sent {
		if !is {
			continue
		}
		k := &c.people[n]
		if !met[k.head] {
			met[k.head] = true
			b.people, all = append(b.people, k.head), append(all, k.head)
		}
		if k.id != k.head {
			all = append(all, k.id)
		}
		for _, other := range k.standsIn {
			all = append(all, c.people[other].id, c.people[other].head)
		}
	}
	b.subjects = packSubjects(all)
}

// open opens the parts of t that may leave into o.record. It is false when one doesn't open, because it
// was damaged.
func (r *Runner) open(q *question, p *page, o *opener, t *taken) (bool, error) {
	f, rec := &t.f, &o.record
	*rec = form.Record{ID: f.ID, Kind: f.Kind, Service: f.Service, OccurredAt: time.UnixMilli(f.OccurredAt).UTC(),
		ReceivedAt: time.UnixMilli(f.ReceivedAt).UTC(), Parts: rec.Parts[:0]}
	var nobodys *seal.Key
	n := 0
	for _, x := range t.parts {
		if !x.ok {
			continue
		}
		part := &f.Parts[x.part]
		var key *seal.Key
		out := form.Part{Category: part.Category}
		if x.who < 0 {
			if nobodys == nil {
				nobodys = r.Vault.Nobody(q.tenant.ID, f.ID.Chunk)
			}
			key = nobodys
		} else {
			who := &p.crowd.people[x.who]
			if who.key == nil {
				var err error
				if who.key, err = r.Vault.Peek(q.tenant.ID, who.id, who.wrapped); err != nil {
					return false, fmt.Errorf("open key of %s: %w", who.id, err)
				}
			}
			key, out.Subject = who.key, who.head
		}
		if n == len(o.plain) {
			o.plain = append(o.plain, nil)
		}
		text, err := o.part(key, f, part, n)
		if fault.KindOf(err) == fault.Invalid {
			r.log.Error("a part does not open and is left out of a flow", "record", f.ID.String(), "part", part.N, "error", err)
			return false, nil
		} else if err != nil {
			return false, err
		}
		out.JSON = text
		n++
		rec.Parts = append(rec.Parts, out)
		_, _ = o.hash.Write(part.Sealed)
	}
	return n > 0, nil
}

// part returns the fragment in a sealed part, in the n-th buffer.
func (o *opener) part(key *seal.Key, f *record.Found, part *record.FoundPart, n int) ([]byte, error) {
	packed, err := o.bind.Open(o.packed[:0], key, part.Subject, f.ID, part.N, part.Category, part.Sealed)
	if err != nil {
		return nil, err
	}
	o.packed = packed
	plain, err := seal.Unpack(o.plain[n][:0], packed, maxPartBytes)
	if err != nil {
		return nil, err
	}
	o.plain[n] = plain
	return fragment(plain)
}

// fragment returns the JSON object behind the client's id, which stays here: it can hold anything.
func fragment(plain []byte) ([]byte, error) {
	n, w := binary.Uvarint(plain)
	if w <= 0 || n > uint64(len(plain)-w) {
		return nil, fault.New(fault.Invalid, "record.damaged", "a part has no client id in front")
	}
	rest := plain[w+int(n):]
	if !bytes.HasPrefix(rest, []byte{'{'}) {
		return nil, fault.New(fault.Invalid, "record.damaged", "a part holds no object")
	}
	return rest, nil
}
