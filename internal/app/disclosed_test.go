package app

import (
	"io/fs"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/examples"
	"domicile.dev/internal/config"
	"domicile.dev/internal/drift"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest/pgtest"
	"domicile.dev/internal/tenant"
)

// What flows sent reaches drift by flow, recipient and purpose, so that what a notice taken back allowed
// is found.
func TestDriftKnowsWhatFlowsSent(t *testing.T) {
	for engine, url := range map[string]func() string{"sqlite": func() string { return "" }, "postgres": func() string { return pgtest.URL(t) }} {
		t.Run(engine, func(t *testing.T) {
			var fsys fs.FS = examples.Communications()
			p, err := programme.Load(fsys)
			if err != nil {
				t.Fatal(err)
			}
			c := &config.Node{Region: "ie1", Listen: "127.0.0.1:0", Data: t.TempDir(), Store: url(), SharedServer: true}
			if err := c.Check(); err != nil {
				t.Fatal(err)
			}
			n, err := Open(t.Context(), c, Options{Programme: p, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = n.Close() }()
			acme, _, _, _, err := n.Tenants.CreateTenant(t.Context(), tenant.Operator, "acme", "")
			if err != nil {
				t.Fatal(err)
			}
			k := flow.Key{Tenant: acme.No, Flow: "gone"}
			add := func(at int64, all ...flow.Sent) {
				t.Helper()
				for i := range all {
					all[i].Key, all[i].LastAt = k, at
				}
				if err := n.db.Do(t.Context(), func(tx store.Tx) error { return sqlstore.Flows{}.AddSent(tx, all) }); err != nil {
					t.Fatal(err)
				}
			}
			add(1000, flow.Sent{Recipient: "nobody", Purpose: "none", Count: 2}, flow.Sent{Recipient: "nobody", Purpose: "none", Category: "contact_data", Count: 2})
			add(5000, flow.Sent{Recipient: "nobody", Purpose: "none", Count: 3}, flow.Sent{Recipient: "nobody", Purpose: "none", Category: "secrets", Count: 1})
			want := []drift.Disclosed{{Tenant: "acme", Flow: "gone", Recipient: "nobody", Purpose: "none", Categories: []string{"contact_data", "secrets"}, Count: 5,
				FirstAt: time.UnixMilli(1000).UTC(), LastAt: time.UnixMilli(5000).UTC()}}
			for of, want := range map[string][]drift.Disclosed{"": want, "acme": want, "other": nil} {
				var got []drift.Disclosed
				if err := n.db.View(t.Context(), func(tx store.Tx) (err error) { got, err = n.disclosed(tx, of); return err }); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("of %q: %s", of, d)
				}
			}
			w := &watch{n: n, published: n.Published, disclosed: n.disclosed}
			r, err := w.Drift(t.Context(), &tenant.Caller{Operator: true})
			if err != nil {
				t.Fatal(err)
			}
			codes := map[string]bool{}
			for _, f := range r.Findings {
				if f.Flow == "gone" && f.Count == 5 && f.Tenant == "acme" {
					codes[f.Code] = true
				}
			}
			for _, code := range []string{drift.Recipient, drift.Purpose, drift.Category} {
				if !codes[code] {
					t.Errorf("no finding %s in %+v", code, r.Findings)
				}
			}
		})
	}
}
