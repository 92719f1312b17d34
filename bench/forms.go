package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/decision"
	"domicile.dev/internal/form"
	"domicile.dev/internal/id"
	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
	"domicile.dev/internal/vault"
)

// forms measures what a flow does with each opened record: decide, pseudonymise and encode one of the
// example's events of the CDP. Opening parts and the store are not in it.
func (b *bench) forms() error {
	fsys := examples.Communications()
	p, err := programme.Load(fsys)
	if err != nil {
		return err
	}
	const assumed = "assumed.register.yaml"
	src, err := fs.ReadFile(fsys, assumed)
	if err != nil {
		return err
	}
	reg, err := register.Parse(assumed, src)
	if err != nil {
		return err
	}
	f := flowOf(p, "event_analytics")
	if f == nil {
		return fmt.Errorf("the example has no flow event_analytics")
	}
	s, err := form.New(p, f, vault.PseudonymsUnder(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		return err
	}
	e := decision.New(p, law.Builtin(), reg, nil)
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) // the register's day
	q := decision.Question{Flow: f.ID, Tenant: "acme", Service: "cdp", Kind: "track", Subject: decision.Subject{Known: true, Consents: decision.Consented(f.Purpose)}}
	q.Categories = e.CategoriesFor(q.Flow, q.Service, q.Kind)
	r := form.Record{Kind: "track", Service: "cdp", OccurredAt: at, ReceivedAt: at, Parts: []form.Part{
		{Category: "device_data", JSON: []byte(`{"anonymousId":"5f0d1e7c-2a3b-4c5d-8e9f-001122334455","context":{"ip":"192.0.2.44","locale":"en-IE","userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36","os":{"name":"Linux","version":"6.1"},"screen":{"width":1920,"height":1080}}}`)},
		{Category: "online_activity_data", JSON: []byte(`{"event":"Product Viewed","context":{"page":{"path":"/shoes","url":"https://shop.example/shoes","title":"Shoes"},"campaign":{"name":"launch","source":"mail"}}}`)}}}
	var out []byte
	took := quickest(20, 20_000, func(i int) {
		r.ID, r.Parts[0].Subject = id.Record{Ordinal: uint32(i)}, id.Subject{1, byte(i), byte(i >> 8)}
		r.Parts[1].Subject = r.Parts[0].Subject
		d := e.Decide(&q, at)
		if line, failed := s.Shape(out[:0], &r, d); failed != nil {
			err = failed
		} else {
			out = line
		}
	})
	if err != nil {
		return fmt.Errorf("shape a record: %w", err)
	}
	b.add(atLeast("form, decide, pseudonymise and encode", "-", 1e6/took, "records/s", 100_000))
	return nil
}

func flowOf(p *programme.Programme, id string) *programme.Flow {
	for i := range p.Flows {
		if p.Flows[i].ID == id {
			return &p.Flows[i]
		}
	}
	return nil
}
