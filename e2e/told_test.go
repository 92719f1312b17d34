package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// notice is one of GET /api/v1/notices.
type notice struct{ ID, Kind, Recipient, State string }

func (r *region) notices(t testing.TB) (all []notice) {
	t.Helper()
	var got struct{ Notices []notice }
	r.api(t, "GET", "/notices", nil).want(t, 200).into(t, &got)
	return got.Notices
}

// heard is one of GET /api/v1/heard-notices.
type heard struct{ Kind, State, Reason, Notice string }

func (r *region) heard(t testing.TB) (all []heard) {
	t.Helper()
	var got struct {
		Heard []heard
	}
	r.api(t, "GET", "/heard-notices", nil).want(t, 200).into(t, &got)
	return got.Heard
}

// serveRegion prepares a node of a region, on a store of its own, with a configuration that more continues.
func serveRegion(t *testing.T, kind, id, more string) *world {
	t.Helper()
	store := ""
	var pg *postgres
	if kind == "postgres" {
		pg = newPostgres(t)
		store = pg.url
	}
	w := serve(t, store, filepath.Join(t.TempDir(), "keyring"), more)
	w.pg = pg
	file := w.args[len(w.args)-1]
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(strings.Replace(string(text), "region: ie1\n", "region: "+id+"\n", 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.up.Regions[0].ID = id
	return w
}

func (w *world) serveReady() {
	w.t.Helper()
	w.launch()
	if !w.readyOrGone() {
		w.t.Fatalf("domicile serve ended (%v):\n%s", w.state, tail(w.readLog(), 4000))
	}
}

// withAcme returns the region with a tenant of its own and its sources, by name and adapter.
func (w *world) withAcme(t *testing.T, sources map[string]string) *region {
	t.Helper()
	r := w.up.Regions[0]
	r.operator(t)
	call := func(into any, args ...string) {
		out, errs, code := w.run("", append(args, "--json")...)
		if code != 0 {
			t.Fatalf("domicile %v: exit %d\n%s%s", args, code, out, errs)
		}
		if err := json.Unmarshal([]byte(out), into); err != nil {
			t.Fatal(err)
		}
	}
	var made struct {
		APIToken string `json:"api_token"`
	}
	call(&made, "tenant", "create", "acme")
	r.Tenant, r.APIToken, r.Sources = "acme", made.APIToken, map[string]source{}
	for name, adapter := range sources {
		args := []string{"source", "create", "--tenant", "acme", "--adapter", adapter}
		if adapter == "segment" {
			args = append(args, "--service", "cdp")
		}
		var s struct {
			Source   source
			WriteKey string `json:"write_key"`
		}
		call(&s, args...)
		s.Source.WriteKey, s.Source.Token = s.WriteKey, s.WriteKey
		r.Sources[name] = s.Source
	}
	return r
}

func messageFrom(phone, id string) m {
	return m{"id": id, "service": "messaging", "kind": "message", "subjects": []m{{"type": "phone", "value": phone, "role": "sender"}},
		"data": m{"from": phone, "to": "+15550100", "body": "hello"}}
}

// A flow goes from one region to another as its recipient. Who is erased at the first is erased at the second
// if that knows them by the flow alone, and is on its list if it knows them otherwise, too; a trait that
// an identify call changes is one correction. kill -9 of both regions in between loses none of it.
func TestAnotherRegionIsToldOfWhatWasItsData(t *testing.T) {
	onBothStoresAtOnce(t, func(t *testing.T, kind string) {
		w2 := serveRegion(t, kind, "us1", "")
		w2.serveReady()
		us1 := w2.withAcme(t, map[string]string{"flow": "native", "native": "native"})
		w1 := serveRegion(t, kind, "ie1", fmt.Sprintf("correct_after: 2s\ndestinations:\n  sp-01: {url: 'domicile+%s', tokens: {acme: '%s'}}\n", us1.URL, us1.Sources["flow"].Token))
		w1.serveReady()
		ie1 := w1.withAcme(t, map[string]string{"native": "native", "segment": "segment"})
		facts, err := filepath.Abs("../examples/communications/assumed.register.yaml")
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range [][]string{{"register", "import", facts}, {"flow", "start", "message_screening"}} {
			if out, errs, code := w1.run("", call...); code != 0 {
				t.Fatalf("%v: exit %d %s%s", call, code, out, errs)
			}
		}
		c := newCanaries()
		goes, shared, changes := c.phone("phone"), c.phone("phone"), c.phone("phone")
		ie1.segment(t, "/v1/identify", m{"userId": "u1", "messageId": c.text("id"), "traits": m{"phone": changes, "plan": "a"}})
		for i, p := range []string{goes, shared, changes} {
			ie1.native(t, messageFrom(p, fmt.Sprint("m", i)))
		}
		at := map[string]string{}
		for _, p := range []string{goes, shared, changes} {
			at[p] = ie1.find(t, "phone", p)
			w2.eventually("the flow brings everybody", func() error {
				if a := us1.lookup(t, "domicile_subject", at[p]); a.status != 200 {
					return fmt.Errorf("%v", a)
				}
				return nil
			})
		}
		us1.native(t, m{"id": "own", "service": "messaging", "kind": "message", "subjects": []m{{"type": "domicile_subject", "value": at[shared], "role": "sender"}}, "data": m{"body": "known before"}})

		ie1.segment(t, "/v1/identify", m{"userId": "u1", "messageId": c.text("id"), "traits": m{"plan": "b"}})
		ie1.segment(t, "/v1/identify", m{"userId": "u1", "messageId": c.text("id"), "traits": m{"plan": "c"}})
		ie1.erase(t, at[goes], false)
		ie1.erase(t, at[shared], false)
		w1.kill() // before any of it can have been told
		w2.kill()
		w1.launch()
		w2.serveReady()
		if !w1.readyOrGone() {
			t.Fatal("ie1 doesn't start again")
		}
		w1.eventually("all is told", func() error {
			got := fmt.Sprint(states(ie1.notices(t)))
			if got != "map[correction confirmed:1 erasure confirmed:2]" {
				return fmt.Errorf("notices %s", got)
			}
			return nil
		})
		us1.lookup(t, "domicile_subject", at[goes]).want(t, 404)
		us1.lookup(t, "domicile_subject", at[shared]).want(t, 200)
		us1.lookup(t, "domicile_subject", at[changes]).want(t, 200)
		by := map[string]int{}
		for _, h := range us1.heard(t) {
			by[h.Kind+" "+h.State+" "+h.Reason]++
		}
		if got := fmt.Sprint(by); got != "map[correction done records.follow:1 erasure done :1 erasure open subject.shared:1]" {
			t.Errorf("us1 heard %s", got)
		}
		for _, w := range []*world{w1, w2} {
			if out, errs, code := w.run("", "ledger", "verify"); code != 0 {
				t.Errorf("ledger verify in %s: exit %d\n%s%s", w.up.Regions[0].ID, code, out, errs)
			}
		}
	})
}

func states(all []notice) map[string]int {
	n := map[string]int{}
	for _, x := range all {
		n[x.Kind+" "+x.State]++
	}
	return n
}

// Who had something of a person before they moved is told by the old home when they are erased at the new
// one, though all was killed after the erasure was acknowledged.
func TestWhoHadSomethingOfAMoverIsToldAfterAKill(t *testing.T) {
	onBothStoresAtOnce(t, func(t *testing.T, kind string) {
		var mu sync.Mutex
		records, told := 0, map[string]string{}
		hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			mu.Lock()
			defer mu.Unlock()
			if r.Header.Get("Domicile-Notice") == "" {
				records++
			} else {
				told[r.Header.Get("Webhook-Id")] = string(b)
			}
		}))
		defer hook.Close()
		w := newWorld(t, kind, withArgs("--destination", "sp-01="+hook.URL))
		w.flow(t, "ie1", "start", "message_screening")
		c := newCanaries()
		p := newTraveller(t, w.region("ie1"), c, 2)
		old := w.region("ie1").find(t, "email", p.email)
		w.eventually("the message arrives", func() error {
			mu.Lock()
			defer mu.Unlock()
			if records == 0 {
				return fmt.Errorf("none did")
			}
			return nil
		})
		if mv, errs, code := w.tryMove(p.email, "ie1", "us1"); code != 0 || mv.Subject == old {
			t.Fatalf("exit %d, %+v\n%s", code, mv, errs)
		}
		if got := fmt.Sprint(states(w.region("ie1").notices(t))); got != "map[erasure kept:1]" {
			t.Errorf("the old home keeps %s", got)
		}
		w.region("us1").erase(t, w.region("us1").find(t, "email", p.email), false)
		w.kill() // before the old home can have heard, as a rule
		w.start()
		w.eventually("the old home tells", func() error {
			mu.Lock()
			defer mu.Unlock()
			if len(told) == 0 {
				return fmt.Errorf("nobody was told")
			}
			return nil
		})
		w.eventually("it is confirmed", func() error {
			if got := fmt.Sprint(states(w.region("ie1").notices(t))); got != "map[erasure confirmed:1]" {
				return fmt.Errorf("notices %s", got)
			}
			return nil
		})
		mu.Lock()
		defer mu.Unlock()
		for id, body := range told {
			var n struct {
				Notice   string
				Subjects []string
			}
			if json.Unmarshal([]byte(body), &n) != nil || len(told) != 1 || n.Notice != "erasure" || len(n.Subjects) != 1 || n.Subjects[0] != old {
				t.Errorf("%s tells %s, want the erasure of %s", id, body, old)
			}
		}
	})
}
