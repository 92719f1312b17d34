package plane

import (
	"context"
	"fmt"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/residency"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/vault"
)

// The countries of a person's numbers are noted when a number becomes theirs. Who was here before that was
// done, who moved here and who gave a number up has none noted: their numbers are opened when
// somebody first asks, and what they tell is kept (RunNumbers), so that the next one need not.

// mostLooked is how many subjects wait to be kept. Beyond it they are looked at again the next time.
const mostLooked = 1 << 14

// keepLooked is how many subjects one transaction keeps.
const keepLooked = 256

// Numbers opens the numbers of subjects and returns what they tell, in order, as residency.Origins has it. ok is
// false where one doesn't open, because it was damaged.
func (p *Plane) Numbers(tx store.Tx, tenant uint32, of []id.Subject) (countries []string, ok []bool, err error) {
	keys := make([]subject.Key, len(of))
	for i, s := range of {
		keys[i] = subject.Key{Tenant: tenant, Subject: s}
	}
	if countries, ok, err = p.numbersOf(tx, keys); err != nil {
		return nil, nil, err
	}
	for i, k := range keys {
		if !ok[i] {
			continue
		}
		select {
		case p.looked <- k:
		default:
		}
	}
	return countries, ok, nil
}

func (p *Plane) numbersOf(tx store.Tx, keys []subject.Key) (countries []string, ok []bool, err error) {
	countries, ok = make([]string, len(keys)), make([]bool, len(keys))
	for i := range ok {
		ok[i] = true
	}
	var all []subject.OldBinding
	var whose []int
	if err := p.Subjects.NumbersOf(tx, keys, func(i int, b subject.OldBinding) { all, whose = append(all, b), append(whose, i) }); err != nil {
		return nil, nil, fmt.Errorf("load numbers: %w", err)
	}
	for n := range all {
		b, i := &all[n], whose[n]
		value, err := p.openNumber(b)
		switch {
		case fault.KindOf(err) == fault.Invalid:
			p.log.Error("a number does not open, so that nothing of its person leaves", "subject", b.Subject.String())
			ok[i] = false
		case err != nil:
			return nil, nil, fmt.Errorf("open a number of %s: %w", b.Subject, err)
		default:
			if c := (residency.Identifier{Type: b.Type, Value: value}).Country(); c != "" {
				countries[i] += c + ","
			}
			clear(value)
		}
	}
	return countries, ok, nil
}

func (p *Plane) openNumber(b *subject.OldBinding) ([]byte, error) {
	key, err := p.Vault.Peek(b.TenantID, b.Subject, vault.Wrapped{Epoch: b.Epoch, Bytes: b.Wrapped})
	if err != nil {
		return nil, err
	}
	return seal.OpenBytes(key, p.identifierAD(b.TenantID, b.Subject, b.Type), b.Sealed)
}

// RunNumbers keeps, until ctx ends, what was found in numbers that nobody had looked at before.
func (p *Plane) RunNumbers(ctx context.Context) {
	for {
		var keys []subject.Key
		select {
		case <-ctx.Done():
			return
		case k := <-p.looked:
			keys = p.gatherLooked(k)
		}
		if err := p.keepNumbers(ctx, keys); err != nil && ctx.Err() == nil {
			p.log.Warn("countries of numbers were not kept and will be looked up again", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
}

func (p *Plane) gatherLooked(first subject.Key) []subject.Key {
	keys, met := []subject.Key{first}, map[subject.Key]bool{first: true}
	for len(keys) < keepLooked {
		select {
		case k := <-p.looked:
			if !met[k] {
				met[k] = true
				keys = append(keys, k)
			}
		default:
			return keys
		}
	}
	return keys
}

// keepNumbers looks again, since what was found may be out of date, and writes it.
func (p *Plane) keepNumbers(ctx context.Context, keys []subject.Key) error {
	return p.DB.Do(ctx, func(tx store.Tx) error {
		var left []subject.Key
		if err := p.Subjects.Origins(tx, keys, func(i int, o residency.Origins) {
			if o.Unlooked {
				left = append(left, keys[i])
			}
		}); err != nil || len(left) == 0 {
			return err
		}
		countries, ok, err := p.numbersOf(tx, left)
		if err != nil {
			return err
		}
		var all []subject.Number
		for i, k := range left {
			if ok[i] {
				all = append(all, subject.Number{Key: k, Countries: countries[i]})
			}
		}
		return p.Subjects.PutNumbers(tx, all)
	})
}

// OriginView is a country whose law the person brings.
type OriginView struct {
	Country string
	By      string    // residency.ByResidence or ByPhoneCountry
	At      time.Time // when a residence was declared
	Source  string    // that brought it
}

// originsOf returns whose law the person brings.
func (p *Plane) originsOf(tx store.Tx, pers *somebody) (views []OriginView, err error) {
	var rows []residency.Origins
	var keys, unlooked []subject.Key
	var where []int
	for _, r := range pers.rows {
		keys = append(keys, r.Key)
	}
	if err := p.Subjects.Origins(tx, keys, func(i int, o residency.Origins) {
		if o.Unlooked {
			unlooked, where = append(unlooked, keys[i]), append(where, len(rows))
		}
		rows = append(rows, o)
	}); err != nil {
		return nil, fmt.Errorf("load whose law the person brings: %w", err)
	}
	countries, _, err := p.numbersOf(tx, unlooked)
	if err != nil {
		return nil, err
	}
	for i, at := range where {
		rows[at].Numbers = countries[i]
	}
	views = []OriginView{}
	for _, o := range residency.Of(rows) {
		v := OriginView{Country: o.Country, By: o.By, Source: o.Source}
		if o.At > 0 {
			v.At = milli(o.At)
		}
		views = append(views, v)
	}
	return views, nil
}
