package plane

import (
	"context"
	"fmt"

	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/record"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// ExportSummary says what an export held.
type ExportSummary struct {
	Subject id.Subject
	Records int64
	Counts  map[string]int64 // by service/kind
	Ledger  ledger.Ref
}

// exportPage is how many records are opened at a time: an export never lies whole in memory.
const exportPage = 50

// Export calls each for every record of the person, oldest first: their own parts, and what others
// wrote to them; the address and device data of others is left out and named in Gone (GDPR art. 15(4)).
// It is entered in the ledger before the first record is shown. An erasure meanwhile ends it with Gone.
//
// Errors: NotFound; Gone subject.erased; Forbidden subject.restricted; what each returns.
func (p *Plane) Export(ctx context.Context, c *tenant.Caller, s id.Subject, purpose string, each func(RecordView) error) (ExportSummary, error) {
	c = c.Accessing()
	sum := ExportSummary{Counts: map[string]int64{}}
	err := p.view(ctx, c, func(tx store.Tx) error {
		pers, err := p.personOf(tx, c.Tenant, s)
		if err != nil {
			return err
		}
		sum.Subject = pers.head.Subject
		return p.mayUse(pers.head, purpose)
	})
	if err != nil {
		return sum, err
	}
	err = p.DB.Do(ctx, func(tx store.Tx) error {
		refs, err := p.Ledger.Append(tx, ledger.Draft{Kind: "export", Tenant: c.TenantID, At: p.now(),
			Body: map[string]any{"subject": sum.Subject, "purpose": purpose, "token": c.Token}})
		if err == nil {
			sum.Ledger = refs[0]
		}
		return err
	})
	if err != nil {
		return sum, fmt.Errorf("enter export: %w", err)
	}
	p.Ledger.Committed()
	var after record.Location
	for more := true; more; {
		var page []RecordView
		err := p.view(ctx, c, func(tx store.Tx) (err error) {
			page, after, more, err = p.exportPage(tx, c, s, purpose, after)
			return err
		})
		if err != nil {
			return sum, err
		}
		for _, v := range page {
			if err := each(v); err != nil {
				return sum, err
			}
			sum.Records++
			sum.Counts[v.Service+"/"+v.Kind]++
		}
	}
	return sum, nil
}

func (p *Plane) exportPage(tx store.Tx, c *tenant.Caller, s id.Subject, purpose string, after record.Location) ([]RecordView, record.Location, bool, error) {
	pers, err := p.personOf(tx, c.Tenant, s)
	if err != nil {
		return nil, after, false, err
	}
	if err := p.mayUse(pers.head, purpose); err != nil {
		return nil, after, false, err
	}
	found, more, err := p.Log.Find(tx, c.Tenant, idsOf(pers.whole()), record.Query{After: after, Limit: exportPage, Oldest: true})
	if err != nil {
		return nil, after, false, fmt.Errorf("find records: %w", err)
	}
	keys, _, err := p.keysOf(tx, c, pers, found, purpose)
	if err != nil {
		return nil, after, false, err
	}
	mine := map[id.Subject]bool{}
	for _, r := range pers.whole() {
		mine[r.Subject] = true
	}
	o := opener{}
	views := make([]RecordView, 0, len(found))
	read := 0
	for size := 0; read < len(found) && size < pageBytes; read++ {
		f := &found[read]
		o.keep = func(part *record.FoundPart) bool {
			return mine[part.Subject] || part.Subject.IsNobody() || p.content(f.Service, f.Kind, part.Category)
		}
		v, err := o.open(p, c.TenantID, f, keys)
		if err != nil {
			return nil, after, false, err
		}
		if v.Data != nil {
			views = append(views, v)
			size += len(v.Data)
		}
	}
	if err := p.listMedia(tx, c, views, keys); err != nil {
		return nil, after, false, err
	}
	if read > 0 {
		after = found[read-1].At
	}
	return views, after, more || read < len(found), nil
}

// content says whether all parts of that category are what somebody wrote: only those are shown to
// whom it was written to.
func (p *Plane) content(service, kind, category string) bool {
	k := p.Rules.Kind(service, kind)
	if k == nil {
		return false
	}
	wrote := false
	for _, part := range k.Parts() {
		if part.Category != category {
			continue
		}
		if part.Owner != term.OwnerWriter {
			return false
		}
		wrote = true
	}
	return wrote
}

// keysOf returns the keys that open the parts of the records, of the person and of everybody else
// who is still there. Without a purpose those of others who are restricted are left out, and those of who
// refuses what the caller reads for; why is in hidden.
func (p *Plane) keysOf(tx store.Tx, c *tenant.Caller, pers *somebody, found []record.Found, purpose string) (keys map[id.Subject]*seal.Key, hidden []error, err error) {
	keys = map[id.Subject]*seal.Key{}
	if pers != nil {
		for _, r := range pers.whole() {
			k, err := p.open(r)
			if err != nil {
				return nil, nil, fmt.Errorf("open key of %s: %w", r.Subject, err)
			}
			keys[r.Subject] = k
		}
	}
	var others []subject.Key
	for i := range found {
		for j := range found[i].Parts {
			s := found[i].Parts[j].Subject
			if _, asked := keys[s]; !asked && !s.IsNobody() {
				keys[s] = nil
				others = append(others, subject.Key{Tenant: c.Tenant, Subject: s})
			}
		}
	}
	if len(others) == 0 {
		return keys, nil, nil
	}
	g := subject.NewGraph(nil)
	need := make(map[subject.Key]bool, len(others))
	for _, k := range others {
		need[k] = true
	}
	if err := g.LoadRows(tx, p.Subjects, need); err != nil {
		return nil, nil, err
	}
	for _, k := range others {
		row, head := g.Row(k), g.Head(k)
		if row == nil || head == nil || head.State&subject.Arriving != 0 {
			continue // erased, or not at home here yet
		}
		if head.State&subject.Restricted != 0 && purpose == "" {
			hidden = append(hidden, restricted(head.Subject))
			continue
		}
		if no, err := p.refusesReading(tx, c, head); err != nil || no != nil {
			if err != nil {
				return nil, nil, err
			}
			hidden = append(hidden, no)
			continue
		}
		if keys[k.Subject], err = p.open(row); err != nil {
			return nil, nil, fmt.Errorf("open key of %s: %w", k.Subject, err)
		}
	}
	return keys, hidden, nil
}
