package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// addTenant creates a tenant by the command line, with sources of Segment and native records, and those of
// vendors by the API. It returns the region as that tenant sees it.
func addTenant(t *testing.T, w *world, r *region, id string) *region {
	t.Helper()
	call := func(into any, args ...string) {
		if w.cli == nil {
			args = append(args, "--up", w.dir, "--region", r.ID)
		}
		out, errs, code := w.run("", append(args, "--json")...)
		if code != 0 {
			t.Fatalf("domicile %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
		}
		if err := json.Unmarshal([]byte(out), into); err != nil {
			t.Fatalf("domicile %s answers %s: %v", strings.Join(args, " "), out, err)
		}
	}
	var tenant struct {
		APIToken string `json:"api_token"`
	}
	call(&tenant, "tenant", "create", id)
	other := *r
	other.Tenant, other.APIToken, other.Sources = id, tenant.APIToken, map[string]source{}
	for name, flags := range map[string][]string{"segment": {"--adapter", "segment", "--service", "cdp"}, "rudderstack": {"--adapter", "segment", "--service", "cdp"},
		"browser": {"--adapter", "segment", "--service", "cdp", "--public"}, "native": {"--adapter", "native"}} {
		var made struct {
			Source   source `json:"source"`
			WriteKey string `json:"write_key"`
		}
		call(&made, append([]string{"source", "create", "--tenant", id}, flags...)...)
		made.Source.WriteKey, made.Source.Token = made.WriteKey, made.WriteKey
		other.Sources[name] = made.Source
	}
	other.withVendors(t)
	return &other
}

// Two tenants with the same e-mail, phone, user id and messageId never see, merge, de-duplicate
// or erase each other's, on any route.
func TestTenantsAreApart(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		c := newCanaries()
		acme := w.region("ie1")
		acme.withCloudEvents(t)
		globex := addTenant(t, w, acme, "globex")
		p := newPerson(c)
		q := *p
		p.secret, q.secret = "acme-"+c.text("secret"), "globex-"+c.text("secret")
		p.live(t, acme, c)
		q.messages = p.messages
		q.live(t, globex, c)

		subjects := map[*region]string{}
		for _, r := range []*region{acme, globex} {
			for typ, value := range p.identifiers() {
				s := r.find(t, typ, value)
				if subjects[r] == "" {
					subjects[r] = s
				}
				if s != subjects[r] {
					t.Errorf("%s: find by %s gives another subject", r.Tenant, typ)
				}
			}
			rs := r.records(t, subjects[r])
			if len(rs) != len(p.messages) {
				t.Errorf("%s reads %d records, want %d", r.Tenant, len(rs), len(p.messages))
			}
			for _, rec := range rs {
				if !strings.Contains(string(rec.Data), r.Tenant+"-") {
					t.Errorf("%s reads a record that isn't its own", r.Tenant)
				}
			}
			for _, id := range p.messages {
				if rs := r.byClientID(t, id); len(rs) != 1 || !strings.Contains(string(rs[0].Data), r.Tenant+"-") {
					t.Errorf("%s finds %d records by a client id that both used, want its own one", r.Tenant, len(rs))
				}
			}
		}
		if subjects[acme] == subjects[globex] {
			t.Fatal("both tenants have the same subject")
		}

		t.Run("what is the other's is not found", func(t *testing.T) {
			theirs := subjects[globex]
			entry := globex.erase(t, theirsToErase(t, globex, c), false).Ledger.Entry
			for _, q := range []struct {
				method, path string
				body         any
			}{
				{"GET", "/subjects/" + theirs, nil}, {"GET", "/subjects/" + theirs + "/records", nil}, {"GET", "/subjects/" + theirs + "/export", nil},
				{"POST", "/subjects/" + theirs + ":erase", m{"reason": "request"}}, {"POST", "/subjects/" + theirs + ":restrict", m{"reason": "request"}},
				{"POST", "/subjects/" + theirs + ":unrestrict", m{"reason": "request"}}, {"POST", "/subjects/" + theirs + ":hold", m{"reason": "litigation", "until": "2099-01-01T00:00:00Z"}},
				{"POST", "/subjects/" + theirs + ":release", m{"reason": "settled"}}, {"GET", "/ledger/entries/" + entry, nil},
			} {
				if a := acme.api(t, q.method, q.path, q.body); a.status != 404 {
					t.Errorf("%s %s of the other tenant: %v, want 404", q.method, q.path, a)
				}
			}
		})
		t.Run("an erasure takes one tenant's", func(t *testing.T) {
			got := acme.erase(t, subjects[acme], true)
			p.mustBeGone(t, acme, subjects[acme], got.Receipt)
			if n := len(globex.records(t, subjects[globex])); n != len(p.messages) {
				t.Errorf("after the other tenant's erasure globex reads %d records, want %d", n, len(p.messages))
			}
			globex.segment(t, "/v1/track", m{"userId": p.user, "event": "Still", "messageId": c.text("id")})
			if n := len(globex.records(t, globex.find(t, "email", p.email))); n != len(p.messages)+1 {
				t.Errorf("globex's person is suppressed by acme's erasure: %d records, want %d", n, len(p.messages)+1)
			}
		})
		t.Run("a cursor of one is nothing to the other", func(t *testing.T) {
			var pg page
			globex.api(t, "GET", "/subjects/"+subjects[globex]+"/records?limit=1", nil).want(t, 200).into(t, &pg)
			mine := newPerson(c)
			mine.live(t, acme, c)
			a := acme.api(t, "GET", "/subjects/"+acme.find(t, "email", mine.email)+"/records?after="+pg.Next, nil)
			if a.status >= 500 || strings.Contains(string(a.body), "globex-") {
				t.Errorf("another tenant's cursor: %v", a)
			}
		})
		t.Run("stats are one's own", func(t *testing.T) {
			if a, g := accepted(t, acme), accepted(t, globex); a == 0 || g == 0 || a == g+a {
				t.Errorf("acme counts %d and globex %d", a, g)
			}
		})
	})
}

// theirsToErase makes one more person of the tenant.
func theirsToErase(t *testing.T, r *region, c *canaries) string {
	t.Helper()
	p := newPerson(c)
	p.live(t, r, c)
	return r.find(t, "email", p.email)
}
