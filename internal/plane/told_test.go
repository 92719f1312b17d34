package plane_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/id"
	"domicile.dev/internal/law"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest"
	"domicile.dev/internal/tenant"
)

// exampleEngine decides by the example programme: notices take pseudonyms' purposes from it.
var exampleEngine = sync.OnceValue(func() *decision.Engine {
	p, err := programme.Load(examples.Communications())
	if err != nil {
		panic(err)
	}
	text, err := fs.ReadFile(examples.Communications(), "assumed.register.yaml")
	if err != nil {
		panic(err)
	}
	reg, err := register.Parse("assumed.register.yaml", text)
	if err != nil {
		panic(err)
	}
	return decision.New(p, law.Builtin(), reg, nil)
})

// teller writes notices as a node does, and tells them to nobody until it is run.
type teller struct {
	w     *world
	flows *flow.Runner
	mu    sync.Mutex // guards what follows
	got   []flow.Delivery
	fails bool
}

// Engine implements flow.Rules.
func (*teller) Engine() *decision.Engine { return exampleEngine() }

// Deliver implements flow.Connector.
func (t *teller) Deliver(_ context.Context, d *flow.Delivery) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fails {
		return fault.New(fault.Unavailable, "recipient.away", "it is away")
	}
	t.got = append(t.got, *d)
	return nil
}

// Close implements flow.Connector.
func (*teller) Close() error { return nil }

func newTeller(w *world) *teller {
	t := &teller{w: w}
	t.flows = flow.New(flow.Parts{Region: w.region, DB: w.db, Store: sqlstore.Flows{}, Subjects: sqlstore.Subjects{}, Ledger: w.led, Vault: w.vault, Records: w.log,
		Rules: t, Pseudonyms: sqlstore.Pseudonyms{}, Tenants: func() []flow.Tenant { return []flow.Tenant{{No: 1, ID: "acme"}} },
		Connect: func(context.Context, string) (flow.Connector, error) { return t, nil }}, flow.Options{Now: func() time.Time { return w.now }, Poll: 10 * time.Millisecond})
	return t
}

// runUntil tells recipients until ok. The world's clock stands still meanwhile.
func (w *world) runUntil(what string, ok func() bool) {
	w.t.Helper()
	w.now = w.now.Add(10 * time.Second)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.teller.flows.Run(ctx) }()
	defer func() { stop(); <-ended; w.teller.flows = newTeller(w).flows }()
	for end := time.Now().Add(40 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("it did not happen that %s: %+v", what, w.notices())
		}
	}
}

func (w *world) told() (out []string) {
	w.teller.mu.Lock()
	defer w.teller.mu.Unlock()
	for _, d := range w.teller.got {
		var x struct{ Subjects []string }
		if err := json.Unmarshal(d.Body, &x); err != nil {
			w.t.Error(err)
		}
		out = append(out, d.Recipient+" "+d.Kind+" "+strings.Join(x.Subjects, ","))
	}
	slices.Sort(out)
	return out
}

func (w *world) notices() []flow.Notice {
	w.t.Helper()
	all, err := w.teller.flows.Notices(context.Background(), w.caller)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// states says what became of the notices: "correction=pending …", in order.
func (w *world) noticeStates() string {
	w.t.Helper()
	var out []string
	for _, n := range w.notices() {
		out = append(out, n.Kind+"="+string(n.State))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (w *world) wantNotices(what, want string) {
	w.t.Helper()
	if got := w.noticeStates(); got != want {
		w.t.Errorf("%s: notices %q, want %q", what, got, want)
	}
}

// gave notes that recipients had something of s in the clear.
func (w *world) gave(s id.Subject, recipients ...string) {
	w.t.Helper()
	if err := w.db.Do(context.Background(), func(tx store.Tx) error {
		for _, to := range recipients {
			if err := (sqlstore.Flows{}).PutReach(tx, []flow.Reach{{Tenant: 1, Recipient: to, Flow: "f", Form: "clear", Subject: s, At: 1}}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
}

func acmeOnly(no uint32) string {
	if no == 1 {
		return "acme"
	}
	return ""
}

// correct looks for corrections after a time.
func (w *world) correct(after time.Duration) {
	w.t.Helper()
	w.now = w.now.Add(after)
	for more := true; more; {
		var err error
		if more, err = w.CorrectOnce(context.Background(), acmeOnly); err != nil {
			w.t.Fatal(err)
		}
	}
}

// identify says that the person has a plan.
func (w *world) identify(user, plan string) {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	w.send(w.src, "/v1/identify", fmt.Sprintf(`{"userId":%q,"messageId":%q,"traits":{"plan":%s}}`, user, id.New("m", 10), plan))
}

const anHour = time.Hour + time.Minute

func TestATraitThatEventsCorrectIsToldOnceAnHour(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.identify("u1", `"a"`)
		w.identify("u2", `"a"`)
		s := w.find("user_id", "u1")
		w.gave(s, "sp-01", "sp-02")
		w.identify("u1", `"a"`)
		w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"new","traits":{"other":1}}`)
		w.identify("u2", `"b"`)
		w.correct(anHour)
		w.wantNotices("nothing changed of who was given away", "")
		for i := range 20 {
			w.identify("u1", fmt.Sprint(i))
		}
		w.correct(time.Minute)
		w.wantNotices("before the hour is over", "")
		w.correct(anHour)
		w.wantNotices("twenty corrections in an hour", "correction=pending correction=pending")
		w.identify("u1", "100")
		w.identify("u1", "19")
		w.correct(anHour)
		w.wantNotices("changed and changed back", "correction=pending correction=pending")
		w.identify("u1", "101")
		w.correct(anHour)
		w.wantNotices("again while nobody was told yet", "correction=pending correction=pending")
		w.runUntil("both are told", func() bool { return w.noticeStates() == "correction=confirmed correction=confirmed" })
		if got := w.told(); !slices.Equal(got, []string{"sp-01 correction " + s.String(), "sp-02 correction " + s.String()}) {
			t.Errorf("told %q", got)
		}
		w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"away","traits":{"plan":null}}`)
		w.restart()
		w.correct(anHour)
		w.wantNotices("a trait is taken away", "correction=confirmed correction=confirmed correction=pending correction=pending")
		w.erase(s)
		w.wantNotices("erased before that was told", "correction=confirmed correction=confirmed correction=overtaken correction=overtaken erasure=pending erasure=pending")
	})
}

func TestOneCorrectionIsPendingAtATime(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.identify("u1", "1")
		w.gave(w.find("user_id", "u1"), "sp-01")
		w.identify("u1", "2")
		w.correct(anHour)
		w.teller.fails = true
		w.runUntil("it is tried", func() bool { return w.notices()[0].Attempt > 0 && w.notices()[0].Error != "" })
		for i := range 3 {
			w.identify("u1", fmt.Sprint(i+10))
			w.correct(anHour)
		}
		w.wantNotices("while one is tried, one waits", "correction=pending correction=pending")
		w.teller.fails = false
		w.runUntil("the older one is told", func() bool { return w.noticeStates() == "correction=confirmed correction=pending" })
		for _, n := range w.notices() {
			if n.State == flow.NoticePending && n.Attempt > 0 {
				t.Error("the one that waits was tried")
			}
		}
		w.now = w.now.Add(2 * time.Minute)
		w.runUntil("then the other one", func() bool { return w.noticeStates() == "correction=confirmed correction=confirmed" })
	})
}

func TestWhicheverWriteFailsACorrectionIsOwedOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, url func() string) {
		for _, when := range []storetest.When{storetest.Before, storetest.After} {
			for step := 1; ; step++ {
				w := newWorld(t, url())
				w.identify("u1", "1")
				w.gave(w.find("user_id", "u1"), "sp-01")
				w.close()
				var f *storetest.Faults
				w.open(func(db store.DB) store.DB { f = storetest.NewFaults(db); return f })
				f.FailAt(step, when)
				body := `{"userId":"u1","messageId":"m2","traits":{"plan":2}}`
				if _, err := w.trySend(w.src, "/v1/identify", body); err != nil {
					w.send(w.src, "/v1/identify", body) // an SDK tries again
				}
				w.now = w.now.Add(anHour)
				if _, err := w.CorrectOnce(t.Context(), acmeOnly); err != nil {
					w.restart()
					w.correct(0)
				}
				w.correct(anHour)
				w.wantNotices(fmt.Sprintf("%s write %d failed", when, step), "correction=pending")
				if !f.Fired() {
					if step < 6 {
						t.Fatalf("only %d writes were seen", step-1)
					}
					break
				}
			}
		}
	})
}

// words brings the words of one region to the other, as nodes do; twice is as once.
func words(t *testing.T, from, to *world, want int) {
	t.Helper()
	list, err := from.Words(t.Context(), acmeOnly)
	if err != nil || len(list) != want {
		t.Fatalf("%d words of %s, want %d: %v", len(list), from.region, want, err)
	}
	for i := range list {
		if list[i].Peer != to.region {
			t.Fatalf("a word to %s", list[i].Peer)
		}
		for range 2 {
			if err := to.HearWord(t.Context(), to.caller, list[i].Word); err != nil {
				t.Fatal(err)
			}
		}
		if err := from.WordTaken(t.Context(), &list[i], false); err != nil {
			t.Fatal(err)
		}
	}
	if list, err = from.Words(t.Context(), acmeOnly); err != nil || len(list) != 0 {
		t.Errorf("%d words are left, %v", len(list), err)
	}
}

func TestWhoHadSomethingOfSomebodyWhoMovedIsToldOfTheirErasure(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		r.ie.identify("u1", `"a"`)
		s := r.ie.find("user_id", "u1")
		r.ie.gave(s, "sp-01")
		f := exampleEngine().Programme().Flows[0]
		if err := r.ie.db.Do(t.Context(), func(tx store.Tx) error {
			return sqlstore.Flows{}.PutReach(tx, []flow.Reach{{Tenant: 1, Recipient: f.To, Flow: f.ID, Form: "pseudonymised", Subject: s, At: 1}})
		}); err != nil {
			t.Fatal(err)
		}
		name := r.ie.vault.Pseudonyms("acme", f.To, f.Purpose).Subject(s).String()
		r.ie.identify("u1", `"b"`)
		done, err := r.carry(s)
		if err != nil {
			t.Fatal(err)
		}
		r.ie.wantNotices("a correction is told before the move, and an erasure kept", "correction=pending correction=pending erasure=kept erasure=kept")
		if _, err := r.us.Restrict(t.Context(), r.us.caller, done.Subject, ""); err != nil {
			t.Fatal(err)
		}
		r.us.now = r.ie.now // what occurred before what is known corrects nothing
		r.us.identify("u1", `"c"`)
		r.us.correct(anHour)
		words(t, r.us, r.ie, 2)
		r.ie.wantNotices("restricted and corrected there", "correction=pending correction=pending correction=pending correction=pending erasure=kept erasure=kept restriction=pending restriction=pending")
		r.ie.restart()
		r.us.restart()
		receipt := r.us.erase(done.Subject)
		words(t, r.us, r.ie, 1)
		r.ie.wantNotices("erased there", "correction=overtaken correction=overtaken correction=pending correction=pending erasure=pending erasure=pending restriction=pending restriction=pending")
		for _, n := range r.ie.notices() {
			if n.Kind == "erasure" && n.Receipt != receipt.Receipt {
				t.Errorf("receipt %s, want %s", n.Receipt, receipt.Receipt)
			}
		}
		r.ie.now = r.ie.now.Add(time.Minute)
		r.ie.runUntil("all are told", func() bool { return !strings.Contains(r.ie.noticeStates(), "pending") })
		got := strings.Join(r.ie.told(), "\n")
		for _, want := range []string{"sp-01 erasure " + s.String(), f.To + " erasure " + name, "sp-01 restriction " + s.String()} {
			if !strings.Contains(got, want) {
				t.Errorf("told %s, want %s in it", got, want)
			}
		}
	})
}

func TestAWordThatTheNewHomeDidNotMakeIsNone(t *testing.T) {
	r := newRegions(t, "", "")
	r.ie.identify("u1", `"a"`)
	s := r.ie.find("user_id", "u1")
	r.ie.gave(s, "sp-01")
	done, err := r.carry(s)
	if err != nil {
		t.Fatal(err)
	}
	r.us.erase(done.Subject)
	list, err := r.us.Words(t.Context(), acmeOnly)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	for what, edit := range map[string]func(*plane.Word){"another kind": func(w *plane.Word) { w.Kind = "restriction" }, "another receipt": func(w *plane.Word) { w.Receipt = "rcp_aaaaaaaaaaaaaaaaaaaaaaaa" },
		"another id": func(w *plane.Word) { w.ID = "wrd_aaaaaaaaaaaaaaaaaaaaaaaa" }, "no MAC": func(w *plane.Word) { w.MAC = nil }} {
		w := list[0].Word
		edit(&w)
		wantKind(t, what, r.ie.HearWord(t.Context(), r.ie.caller, w), fault.Conflict, "move.bad_proof")
	}
	other := list[0].Word
	other.Move = "mov_us1_aaaaaaaaaaaaaaaaaaaaaaaa"
	wantKind(t, "another move", r.ie.HearWord(t.Context(), r.ie.caller, other), fault.NotFound, "move.unknown")
	r.ie.wantNotices("nothing was told", "erasure=kept")
	// One that the other region doesn't take is told later.
	if err := r.us.WordTaken(t.Context(), &list[0], true); err != nil {
		t.Fatal(err)
	}
	if again, err := r.us.Words(t.Context(), acmeOnly); err != nil || len(again) != 0 {
		t.Errorf("at once again: %d, %v", len(again), err)
	}
	r.us.now = r.us.now.Add(2 * time.Minute)
	words(t, r.us, r.ie, 1)
	r.ie.wantNotices("later", "erasure=pending")
}

// A person who moved there and back had a home in both: both tell theirs.
func TestWordsGoBackOverEveryHome(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		r.ie.identify("u1", `"a"`)
		s := r.ie.find("user_id", "u1")
		r.ie.gave(s, "sp-01")
		there, err := r.carry(s)
		if err != nil {
			t.Fatal(err)
		}
		r.us.gave(there.Subject, "sp-02")
		back, err := carry(r.us, r.ie, there.Subject)
		if err != nil {
			t.Fatal(err)
		}
		r.ie.gave(back.Subject, "sp-03")
		r.ie.erase(back.Subject)
		words(t, r.ie, r.us, 1)
		words(t, r.us, r.ie, 1)
		r.ie.wantNotices("at the first and last home", "erasure=pending erasure=pending")
		r.us.wantNotices("at the one between", "erasure=pending")
	})
}

func TestWhicheverWriteFailsWhoHadSomethingOfSomebodyWhoMovedIsTold(t *testing.T) {
	onEngines(t, func(t *testing.T, url func() string) {
		for _, when := range []storetest.When{storetest.Before, storetest.After} {
			for _, broken := range []string{"ie1", "us1"} {
				t.Run(string(when)+" in "+broken, func(t *testing.T) {
					for step := 1; ; step++ {
						r := newRegions(t, url(), url())
						r.ie.identify("u1", `"a"`)
						s := r.ie.find("user_id", "u1")
						r.ie.gave(s, "sp-01")
						done, err := r.carry(s)
						if err != nil {
							t.Fatal(err)
						}
						w := map[string]*world{"ie1": r.ie, "us1": r.us}[broken]
						w.close()
						var f *storetest.Faults
						w.open(func(db store.DB) store.DB { f = storetest.NewFaults(db); return f })
						f.FailAt(step, when)
						if _, err := r.us.Erase(t.Context(), r.us.caller, done.Subject, plane.EraseRequest{}); err != nil {
							r.us.restart() // its node died
							r.us.erase(done.Subject)
						}
						for range 3 { // as nodes do until there are none left
							list, err := r.us.Words(t.Context(), acmeOnly)
							if err != nil {
								t.Fatal(err)
							}
							for i := range list {
								if r.ie.HearWord(t.Context(), r.ie.caller, list[i].Word) == nil {
									_ = r.us.WordTaken(t.Context(), &list[i], false)
								}
							}
						}
						r.ie.wantNotices(fmt.Sprintf("write %d failed", step), "erasure=pending")
						if list, err := r.us.Words(t.Context(), acmeOnly); err != nil || len(list) != 0 {
							t.Errorf("write %d failed: %d words are left, %v", step, len(list), err)
						}
						if !f.Fired() {
							if step < 3 {
								t.Fatalf("only %d writes were seen", step-1)
							}
							return
						}
					}
				})
			}
		}
	})
}

// Notices of another region.

func (w *world) peerRecord(src *tenant.Source, name, client string) {
	w.t.Helper()
	typ := map[bool]string{true: "domicile_subject", false: "domicile_pseudonym"}[strings.HasPrefix(name, "sub_")]
	if r := w.send(src, "", fmt.Sprintf(`{"id":%q,"kind":"message","service":"messaging","subjects":[{"type":%q,"value":%q}],"data":{"body":"Hello"}}`, client, typ, name)); r.Accepted != 1 {
		w.t.Fatalf("%+v", r)
	}
}

func (w *world) heardAs() string {
	w.t.Helper()
	all, err := w.HeardNotices(context.Background(), w.caller)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, h := range all {
		out = append(out, strings.TrimSuffix(h.Kind+"="+string(h.State)+":"+h.Reason, ":"))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (w *world) wantHeard(what, want string) {
	w.t.Helper()
	if got := w.heardAs(); got != want {
		w.t.Errorf("%s: heard %q, want %q", what, got, want)
	}
}

func noticeIn(kind string, names ...string) plane.NoticeIn {
	return plane.NoticeIn{ID: "ntc_" + strings.TrimPrefix(id.NewSubject().String(), "sub_"), Kind: kind, Subjects: names}
}

func (w *world) hears(in plane.NoticeIn) {
	w.t.Helper()
	for range 2 { // again changes nothing
		if err := w.HearNotice(context.Background(), w.nat, in); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestAnotherRegionsErasureIsDoneHere(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		const psn = "psn_aaaaaaaaaaaaaaaaaaaaaaaaaa"
		sub := id.NewSubject().String()
		w.peerRecord(w.nat, sub, "f:1")
		w.peerRecord(w.nat, psn, "f:2")
		s := w.find("domicile_subject", sub)
		w.gave(s, "sp-09") // which this region told in turn
		w.hears(noticeIn("erasure", sub))
		w.wantHeard("one erased", "erasure=done")
		_, err := w.Subject(t.Context(), w.caller, s)
		wantKind(t, "show", err, fault.Gone, "subject.erased")
		w.wantNotices("passed on", "erasure=pending")
		if w.opens("f:1") || !w.opens("f:2") {
			t.Error("the wrong one was erased")
		}
		w.hears(noticeIn("erasure", sub))
		w.hears(noticeIn("erasure", psn))
		w.wantHeard("all", "erasure=done erasure=done erasure=done:subject.unknown")
		if w.opens("f:2") {
			t.Error("who is known by a pseudonym was not erased")
		}
	})
}

func TestWhomOthersKnowTooIsLeftToSomebody(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		other := *w.nat
		other.ID = "src_ie1_other"
		names := []string{id.NewSubject().String(), id.NewSubject().String(), id.NewSubject().String()}
		for i, name := range names {
			w.peerRecord(w.nat, name, fmt.Sprintf("f:%d", i))
		}
		if _, err := w.Link(t.Context(), w.caller, w.find("domicile_subject", names[0]), []plane.Identifier{{Type: "email", Value: "a@example.com"}}); err != nil {
			t.Fatal(err)
		}
		w.peerRecord(&other, names[1], "g:1") // by the same name, from another source
		held := w.find("domicile_subject", names[2])
		if _, err := w.Hold(t.Context(), w.caller, held, "", time.Time{}); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			w.hears(noticeIn("erasure", name))
		}
		w.wantHeard("three", "erasure=open:hold.in_force erasure=open:subject.shared erasure=open:subject.shared")
		for i := range names {
			if !w.opens(fmt.Sprintf("f:%d", i)) {
				t.Errorf("%d was erased", i)
			}
		}
		// Nor may another source's key have somebody erased whom it didn't bring.
		if err := w.HearNotice(t.Context(), &other, noticeIn("erasure", names[2])); err != nil || !w.opens("f:2") {
			t.Errorf("%v, by another source's word", err)
		}
		all, err := w.HeardNotices(t.Context(), w.caller)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if h, err := w.CloseHeard(t.Context(), w.caller, all[0].ID); err != nil || h.State != plane.HeardClosed {
				t.Errorf("close: %+v, %v", h, err)
			}
		}
		_, err = w.CloseHeard(t.Context(), &tenant.Caller{Tenant: 2, TenantID: "other"}, all[1].ID)
		wantKind(t, "another tenant's", err, fault.NotFound, "heard.unknown")
	})
}

func TestAnotherRegionsRestrictionIsLiftedByItAlone(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		sub := id.NewSubject().String()
		w.peerRecord(w.nat, sub, "f:1")
		s := w.find("domicile_subject", sub)
		states := func() string {
			v, err := w.Subject(t.Context(), w.caller, s)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Join(v.States, " ")
		}
		w.hears(noticeIn("correction", sub))
		w.hears(noticeIn("restriction", sub))
		if states() != "restricted" {
			t.Error("not restricted")
		}
		w.hears(noticeIn("restriction_lifted", sub))
		if states() != "" {
			t.Error("not lifted")
		}
		w.hears(noticeIn("restriction", sub))
		if _, err := w.Restrict(t.Context(), w.caller, s, "asked here"); err != nil { // it is this region's own by now
			t.Fatal(err)
		}
		w.hears(noticeIn("restriction_lifted", sub))
		w.hears(noticeIn("restriction", sub))
		if states() != "restricted" {
			t.Error("a restriction that was made here was lifted from elsewhere")
		}
		w.wantHeard("all", "correction=done:records.follow restriction=done restriction=done restriction=done:restriction.already restriction_lifted=done restriction_lifted=open:restriction.not_ours")
	})
}

func TestWhatIsNoNoticeIsRefused(t *testing.T) {
	w := newWorld(t, "")
	sub := id.NewSubject().String()
	for what, edit := range map[string]func(*plane.NoticeIn){"id": func(n *plane.NoticeIn) { n.ID = "ntc_" }, "kind": func(n *plane.NoticeIn) { n.Kind = "erase" },
		"no names": func(n *plane.NoticeIn) { n.Subjects = nil }, "an email": func(n *plane.NoticeIn) { n.Subjects = []string{"a@example.com"} }} {
		n := noticeIn("erasure", sub)
		edit(&n)
		wantKind(t, what, w.HearNotice(t.Context(), w.nat, n), fault.Invalid, "notice.malformed")
	}
	public := *w.nat
	public.Trust = w.web.Trust
	for _, src := range []*tenant.Source{w.src, w.web, &public} {
		wantKind(t, src.ID, w.HearNotice(t.Context(), src, noticeIn("erasure", sub)), fault.Forbidden, "notice.source")
	}
	w.wantHeard("nothing", "")
}

func TestWhicheverWriteFailsWhatIsHeardIsDoneOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, url func() string) {
		for _, when := range []storetest.When{storetest.Before, storetest.After} {
			for step := 1; ; step++ {
				w := newWorld(t, url())
				one, two := id.NewSubject().String(), id.NewSubject().String()
				w.peerRecord(w.nat, one, "f:1")
				w.peerRecord(w.nat, two, "f:2")
				w.close()
				var f *storetest.Faults
				w.open(func(db store.DB) store.DB { f = storetest.NewFaults(db); return f })
				f.FailAt(step, when)
				erase, restrict, lift := noticeIn("erasure", one), noticeIn("restriction", two), noticeIn("restriction_lifted", two)
				for _, n := range []plane.NoticeIn{erase, restrict, lift} {
					if err := w.HearNotice(t.Context(), w.nat, n); err != nil {
						w.restart()
						w.hears(n)
					}
				}
				w.wantHeard(fmt.Sprintf("%s write %d failed", when, step), "erasure=done restriction=done restriction_lifted=done")
				v, err := w.Subject(t.Context(), w.caller, w.find("domicile_subject", two))
				if err != nil || len(v.States) > 0 || w.opens("f:1") {
					t.Errorf("%s write %d failed: %v, %v", when, step, v.States, err)
				}
				if !f.Fired() {
					if step < 10 {
						t.Fatalf("only %d writes were seen", step-1)
					}
					break
				}
			}
		}
	})
}
