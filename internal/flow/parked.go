package flow

import (
	"fmt"
	"slices"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// parked are the records of a batch that its recipient refused for good, when it took the rest.
type parked struct {
	records []id.Record
	reasons map[string]int
}

// refusedOf returns which records of b a recipient refused. It is false when err is no such refusal, and
// when it names what isn't in the batch: then the batch as a whole isn't delivered.
func (r *Runner) refusedOf(q *question, b *built, err error) (p parked, ok bool) {
	if err == nil {
		return p, false
	}
	refused, ok := RefusedIn(err)
	if !ok || len(refused.Records) == 0 || b.form == decision.Aggregated {
		return p, false
	}
	names := make(map[string]id.Record, len(b.records))
	keys := r.Vault.Pseudonyms(q.tenant.ID, q.f.To, q.f.Purpose)
	for _, rec := range b.records {
		names[rec.String()] = rec
		if b.form == decision.Pseudonymised {
			names[string(keys.Record(rec).AppendTo(nil))] = rec
		}
	}
	for _, name := range refused.Records {
		rec, here := names[name]
		if !here {
			return parked{}, false
		}
		p.records = append(p.records, rec)
	}
	p.reasons = refused.Reasons
	return p, true
}

// keepRefused parks single records by their ids, and forgets those of before that have arrived now.
func (r *Runner) keepRefused(tx store.Tx, k Key, batch *Batch, b *built) error {
	before, err := r.Store.Refused(tx, k, 1)
	if err != nil {
		return fmt.Errorf("look for refused records: %w", err)
	}
	if len(before) > 0 && len(b.records) > 0 {
		if err := r.Store.DropRefused(tx, k, b.records); err != nil {
			return fmt.Errorf("forget refused records: %w", err)
		}
	}
	if len(b.refused.records) == 0 {
		return nil
	}
	if err := r.Store.PutRefused(tx, k, b.refused.records, batch.ID, r.now().UnixMilli()); err != nil {
		return fmt.Errorf("park refused records: %w", err)
	}
	return nil
}

// disclose adds what a recipient got to what it had.
func (r *Runner) disclose(tx store.Tx, q *question, b *built) error {
	now := r.now().UnixMilli()
	var all []Sent
	add := func(category string, n int) {
		if n == 0 {
			return
		}
		at := slices.IndexFunc(all, func(s Sent) bool { return s.Category == category })
		if at < 0 {
			at = len(all)
			all = append(all, Sent{Key: Key{q.tenant.No, q.f.ID}, Recipient: q.f.To, Purpose: q.f.Purpose, Category: category, LastAt: now})
		}
		all[at].Count += int64(n)
	}
	for i := range b.kinds {
		k := &b.kinds[i]
		add("", k.n)
		for at, category := range k.kind.categories {
			add(category, k.of[at])
		}
	}
	if len(all) == 0 {
		return nil
	}
	if err := r.Store.AddSent(tx, all); err != nil {
		return fmt.Errorf("count what %s got: %w", q.f.To, err)
	}
	return nil
}
