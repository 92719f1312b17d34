package app

import (
	"fmt"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/programme"
)

// rules is the programme as the data path asks it: kinds compiled once. It implements plane.Rules.
type rules struct {
	p     *programme.Programme
	kinds map[[2]string]*ingest.Kind
}

// compile turns the declared kinds into what decoders walk.
func compile(p *programme.Programme) (*rules, error) {
	r := &rules{p: p, kinds: map[[2]string]*ingest.Kind{}}
	for k, fields := range p.KindRules() {
		list := make([]ingest.Rule, 0, len(fields))
		for _, f := range fields {
			list = append(list, ingest.Rule{Path: f.Path, Category: f.Category, Owner: f.OwnerOrDefault()})
		}
		kind, err := ingest.Compile(k.Service, k.Kind, list)
		if err != nil {
			return nil, fmt.Errorf("compile kind %s/%s: %w", k.Service, k.Kind, err)
		}
		r.kinds[[2]string{k.Service, k.Kind}] = kind
	}
	return r, nil
}

// Kind implements ingest.Kinds.
func (r *rules) Kind(service, name string) *ingest.Kind { return r.kinds[[2]string{service, name}] }

// Hash implements plane.Rules.
func (r *rules) Hash() string { return r.p.Hash }

// RetentionDays implements plane.Rules.
func (r *rules) RetentionDays(service, kind, category string) uint16 {
	return r.p.RetentionDays(service, kind, category)
}
