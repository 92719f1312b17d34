package flow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/decision"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/form"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/native"
	"domicile.dev/internal/law"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/record"
	"domicile.dev/internal/register"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/postgres"
	"domicile.dev/internal/store/sqlite"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest/pgtest"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"domicile.dev/internal/vault"
	"domicile.dev/internal/vault/keyring"
)

// screening is the example's flow of messages, in the clear where the decision lets it.
const screening = "message_screening"

// today is the day on which the example's register was written.
var today = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// kinds are those of the example programme.
type kinds map[string]*ingest.Kind

func (k kinds) Kind(service, name string) *ingest.Kind { return k[service+"/"+name] }
func (kinds) Hash() string                             { return "sha256:test" }
func (kinds) RetentionDays(_, _, category string) uint16 {
	return map[string]uint16{"customer_content": 30}[category]
}

// fixed is what all worlds share: it is read once.
type fixed struct {
	p        *programme.Programme
	kinds    kinds
	register []byte
}

var example = sync.OnceValue(func() *fixed {
	fsys := examples.Communications()
	p, err := programme.Load(fsys)
	if err != nil {
		panic(err)
	}
	f := &fixed{p: p, kinds: kinds{}}
	if f.register, err = fs.ReadFile(fsys, "assumed.register.yaml"); err != nil {
		panic(err)
	}
	for k, fields := range p.KindRules() {
		var list []ingest.Rule
		for _, x := range fields {
			list = append(list, ingest.Rule{Path: x.Path, Category: x.Category, Owner: x.OwnerOrDefault()})
		}
		kind, err := ingest.Compile(k.Service, k.Kind, list)
		if err != nil {
			panic(err)
		}
		f.kinds[k.Service+"/"+k.Kind] = kind
	}
	return f
})

// region is one region on a real store. Its nodes share what is in it.
type region struct {
	t       testing.TB
	url     string // of PostgreSQL; "" for an embedded store
	dir     string
	to      *recipient
	say     flow.Say   // nil: says
	mu      sync.Mutex // guards what follows
	engine  *decision.Engine
	tenants []flow.Tenant
	refused map[id.Subject]bool // who said no, by subject
	shift   time.Duration
	began   time.Time
}

// node is one node of a region.
type node struct {
	*region
	db     store.DB
	plane  *plane.Plane
	log    *record.Log
	led    *ledger.Ledger
	vault  *vault.Vault
	runner *flow.Runner
	stop   context.CancelFunc
	ended  chan struct{}
}

var operator = &tenant.Caller{Operator: true, Token: "operator"}
var acme = &tenant.Caller{Tenant: 1, TenantID: "acme", Token: "tok_ie1_a"}

func newRegion(t testing.TB, url string) *region {
	r := &region{t: t, url: url, dir: t.TempDir(), to: &recipient{}, tenants: []flow.Tenant{{No: 1, ID: "acme"}}, refused: map[id.Subject]bool{}, began: time.Now()}
	r.decide()
	return r
}

// eachStore runs fn on a region of each engine.
func eachStore(t *testing.T, fn func(t *testing.T, r *region)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, newRegion(t, "")) })
	t.Run("postgres", func(t *testing.T) { fn(t, newRegion(t, pgtest.URL(t))) })
}

// decide makes the engine anew, with mechanisms struck.
func (r *region) decide(without ...string) {
	reg, err := register.Parse("assumed.register.yaml", example().register)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(without) > 0 && without[0] == "contracts" {
		reg.Contracts, without = nil, nil
		reg.Version = "sha256:struck"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.engine = decision.New(example().p, law.Builtin(), reg, nil, without...)
}

// Engine implements flow.Rules.
func (r *region) Engine() *decision.Engine {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.engine
}

// now goes on from the register's day at the pace of the world, and by leaps.
func (r *region) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return today.Add(time.Since(r.began) + r.shift)
}

func (r *region) leap(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shift += d
}

func (r *region) who() []flow.Tenant {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]flow.Tenant(nil), r.tenants...)
}

// says reads people's states from the subjects' rows; who refused objects to everything.
type says struct{ r *region }

func (r *region) saying() flow.Say {
	if r.say != nil {
		return r.say
	}
	return says{r}
}

// Of implements flow.Say.
func (s says) Of(tx store.Tx, tenant uint32, people [][]id.Subject) ([]decision.Subject, error) {
	out, keys, at := make([]decision.Subject, len(people)), make([]subject.Key, len(people)), map[id.Subject]int{}
	s.r.mu.Lock()
	for i, p := range people {
		out[i] = decision.Subject{Known: true, Consents: decision.Consented("personalization_optimization")}
		if s.r.refused[p[0]] {
			out[i].Consents, out[i].Objects = nil, []string{"platform_security_fraud_prevention"}
		}
		keys[i], at[p[0]] = subject.Key{Tenant: tenant, Subject: p[0]}, i
	}
	s.r.mu.Unlock()
	err := sqlstore.Subjects{}.Rows(tx, keys, func(row subject.Row) {
		if row.State&subject.Restricted != 0 {
			out[at[row.Subject]].States |= decision.Restricted
		}
	})
	return out, err
}

// plainForms write lines of few words, and count by kind.
type plainForms struct{}

func (plainForms) Shaper(*programme.Programme, *programme.Flow, string) (flow.Shaper, error) {
	return plainShaper{}, nil
}

func (plainForms) Window(_ *programme.Programme, _ *programme.Flow, from, until time.Time) flow.Window {
	return &plainWindow{from: from, until: until, kinds: map[string]map[id.Subject]int{}}
}

type plainShaper struct{}

func (plainShaper) Shape(dst []byte, r *form.Record, d *decision.Decision) ([]byte, error) {
	dst = append(dst, `{"id":"`...)
	dst = append(append(dst, r.ID.String()...), `","form":"`+d.Form.String()+`","subjects":[`...)
	for i, p := range r.Parts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), p.Subject.String()...), '"')
	}
	dst = append(dst, `],"parts":[`...)
	for i, p := range r.Parts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, p.JSON...)
	}
	return append(dst, "]}\n"...), nil
}

type plainWindow struct {
	from, until time.Time
	kinds       map[string]map[id.Subject]int
}

func (w *plainWindow) Add(r *form.Record, people []id.Subject, _ *decision.Decision) error {
	if w.kinds[r.Kind] == nil {
		w.kinds[r.Kind] = map[id.Subject]int{}
	}
	for _, s := range people {
		w.kinds[r.Kind][s]++
	}
	return nil
}

func (w *plainWindow) Lines(dst []byte, head func(id.Subject) (id.Subject, bool)) ([]byte, int, error) {
	lines := 0
	for kind, people := range w.kinds {
		n := 0
		for s, records := range people {
			if _, ok := head(s); ok {
				n += records
			}
		}
		dst = fmt.Appendf(dst, `{"from":%q,"kind":%q,"records":%d}`+"\n", w.from.Format(time.RFC3339), kind, n)
		lines++
	}
	return dst, lines, nil
}

// recipient keeps every delivery whole.
type recipient struct {
	null  bool // keeps nothing but a count
	count atomic.Int64

	mu   sync.Mutex // guards what follows
	got  []flow.Delivery
	tell func(ctx context.Context, d *flow.Delivery) error // what it answers after it has kept one; nil: yes
}

// Deliver implements flow.Connector.
func (c *recipient) Deliver(ctx context.Context, d *flow.Delivery) error {
	if c.null {
		c.count.Add(int64(d.Count))
		return nil
	}
	c.mu.Lock()
	kept := *d
	kept.Body = append([]byte(nil), d.Body...)
	c.got = append(c.got, kept)
	tell := c.tell
	c.mu.Unlock()
	if tell != nil {
		return tell(ctx, d)
	}
	return nil
}

func (*recipient) Close() error { return nil }

func (c *recipient) answers(tell func(context.Context, *flow.Delivery) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tell = tell
}

func (c *recipient) all() []flow.Delivery {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]flow.Delivery(nil), c.got...)
}

// bodies are the lines of all deliveries, without those that came again under an id.
func (c *recipient) lines() (out []string) {
	last := map[string]int{}
	all := c.all()
	for i, d := range all {
		last[d.ID] = i
	}
	for i, d := range all {
		if last[d.ID] == i {
			out = append(out, strings.Split(strings.TrimSuffix(string(d.Body), "\n"), "\n")...)
		}
	}
	return out
}

// open starts a node; wrap may break its store.
func (r *region) open(wrap func(store.DB) store.DB) *node {
	r.t.Helper()
	n := &node{region: r, ended: make(chan struct{})}
	ctx := context.Background()
	must := func(err error) {
		if err != nil {
			r.t.Helper()
			r.t.Fatal(err)
		}
	}
	var err error
	if r.url == "" {
		n.db, err = sqlite.Open(ctx, r.dir, sqlite.Options{Region: "ie1"})
	} else {
		n.db, err = postgres.Open(ctx, r.url, postgres.Options{Region: "ie1"})
	}
	must(err)
	kr, err := keyring.Open("file:"+filepath.Join(r.dir, "keyring"), "ie1")
	must(err)
	v, err := vault.Open(ctx, n.db, sqlstore.Vaults{}, kr, vault.Options{Region: "ie1"})
	must(err)
	seed, err := kr.Get(ctx, vault.LedgerKey)
	must(err)
	keys, err := ledger.NewKeys(ledger.Origin("ie1"), seed)
	must(err)
	n.led, err = ledger.Open(ctx, n.db, sqlstore.Ledgers{}, ledger.Options{Keys: keys})
	must(err)
	n.log, err = record.Open(ctx, n.db, sqlstore.Records{}, record.Options{})
	must(err)
	must(n.db.Do(ctx, func(tx store.Tx) error {
		return sqlstore.Tenants{}.PutTenant(tx, tenant.Tenant{No: 1, ID: "acme", Name: "Acme", CreatedAt: today})
	}))
	n.vault = v
	fdb := n.db
	if wrap != nil {
		fdb = wrap(n.db)
	}
	n.runner = n.newRunner(fdb)
	n.plane = plane.New(plane.Parts{Region: "ie1", DB: n.db, Rules: example().kinds, Vault: v, Log: n.log, Ledger: n.led, Subjects: sqlstore.Subjects{},
		Changes: sqlstore.Changes{}, Counters: sqlstore.Stats{}, Moves: sqlstore.Moves{}, Media: sqlstore.Medias{}, Attempts: n.runner, Notices: n.runner, Owed: sqlstore.Owed{}}, plane.Options{Now: r.now})
	r.t.Cleanup(n.close)
	return n
}

// newRunner returns another runner on the node's store, as another node would have.
func (n *node) newRunner(db store.DB) *flow.Runner {
	return n.newRunnerWith(db, flow.Options{Now: n.now, Poll: 10 * time.Millisecond, BackOff: 20 * time.Millisecond, MostBackOff: 100 * time.Millisecond, BatchRecords: 4, Streams: 4})
}

func (n *node) newRunnerWith(db store.DB, opt flow.Options) *flow.Runner {
	r := n.region
	return flow.New(flow.Parts{Region: "ie1", DB: db, Store: sqlstore.Flows{}, Subjects: sqlstore.Subjects{}, Records: n.log, Ledger: n.led, Vault: n.vault,
		Rules: r, Say: r.saying(), Forms: plainForms{}, Pseudonyms: sqlstore.Pseudonyms{}, Tenants: r.who, Connect: func(context.Context, string) (flow.Connector, error) { return r.to, nil }}, opt)
}

// run starts the node's flows.
func (n *node) run() *node {
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	go func() {
		defer close(n.ended)
		n.runner.Run(ctx)
	}()
	return n
}

// halt stops the flows; the rest of the node goes on.
func (n *node) halt() {
	if n.stop != nil {
		n.stop()
		<-n.ended
		n.stop, n.ended = nil, make(chan struct{})
	}
}

func (n *node) close() {
	n.halt()
	if n.plane != nil {
		n.plane.Close()
		n.plane = nil
		if err := n.db.Close(); err != nil {
			n.t.Error(err)
		}
	}
}

// message brings one message between two people.
func (n *node) message(number, from, to string) {
	n.t.Helper()
	n.bring(fmt.Sprintf(`{"id":%q,"kind":"message","service":"messaging","subjects":[{"type":"phone","value":%q,"role":"sender"},{"type":"phone","value":%q,"role":"recipient"}],`+
		`"data":{"from":%q,"to":%q,"body":"text %s","message_id":"SM%s"}}`, number, from, to, from, to, number, number))
}

// bring stores one native record.
func (n *node) bring(body string) {
	n.t.Helper()
	src := &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_ie1_native", Adapter: term.AdapterNative, Trust: term.Server}
	b, err := native.Decode("", []byte(body), ingest.Env{ReceivedAt: n.now(), Kinds: example().kinds})
	if err != nil {
		n.t.Fatal(err)
	}
	defer b.Release()
	r, err := n.plane.Ingest(context.Background(), src, b)
	if err != nil || r.Accepted != 1 {
		n.t.Fatalf("%s: %+v, %v", body, r, err)
	}
}

func (n *node) find(phone string) id.Subject {
	n.t.Helper()
	r, err := n.plane.Find(context.Background(), acme, []plane.Identifier{{Type: "phone", Value: phone}})
	if err != nil {
		n.t.Fatal(err)
	}
	return r.Subject
}

func (n *node) order(verb flow.Verb, from string) flow.View {
	n.t.Helper()
	v, err := n.runner.Do(context.Background(), operator, flow.Order{Flow: screening, Verb: verb, From: from})
	if err != nil {
		n.t.Fatalf("%s: %v", verb, err)
	}
	return v
}

// at is where the flow stands for the tenant.
func (n *node) at() flow.StreamView {
	n.t.Helper()
	v, err := n.runner.Show(context.Background(), operator, screening)
	if err != nil {
		n.t.Fatal(err)
	}
	if len(v.Tenants) != 1 {
		return flow.StreamView{}
	}
	return v.Tenants[0]
}

// until waits for what must become true.
func (r *region) until(what string, is func() bool) {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if is() {
			return
		}
	}
	r.t.Fatalf("in 20 s it did not happen that %s", what)
}

// soon is until while time leaps, so that nobody waits for leases and pauses.
func (r *region) soon(what string, is func() bool) {
	r.t.Helper()
	r.until(what, func() bool { r.leap(40 * time.Millisecond); return is() })
}

// texts are the numbers of the messages in lines, in order.
func texts(t testing.TB, lines []string) (out []string) {
	t.Helper()
	for _, l := range lines {
		var x struct{ Parts []map[string]any }
		if err := json.Unmarshal([]byte(l), &x); err != nil {
			t.Fatalf("line %q: %v", l, err)
		}
		for _, p := range x.Parts {
			if s, ok := p["message_id"].(string); ok {
				out = append(out, strings.TrimPrefix(s, "SM"))
				break
			}
		}
	}
	return out
}

// mustBeEntered fails unless every attempt has an entry of its own.
func (n *node) mustBeEntered() {
	n.t.Helper()
	seen := map[string]bool{}
	for _, d := range n.to.all() {
		if seen[d.Entry] {
			n.t.Errorf("two attempts under the entry %s", d.Entry)
		}
		seen[d.Entry] = true
		e, err := id.ParseEntry(d.Entry)
		if err != nil {
			n.t.Fatal(err)
		}
		var v ledger.EntryView
		if err := n.db.View(context.Background(), func(tx store.Tx) (err error) { v, err = n.led.Entry(tx, e); return err }); err != nil {
			n.t.Fatalf("entry of %s: %v", d.ID, err)
		}
		var body struct {
			Body struct {
				Delivery string
				Attempt  int
				Form     string
				Records  int
			}
		}
		if err := json.Unmarshal(v.Entry, &body); err != nil {
			n.t.Fatal(err)
		}
		if b := body.Body; v.Kind != "flow.decided" || b.Delivery != d.ID || b.Attempt != d.Attempt || b.Form != d.Form || b.Records != d.Count {
			n.t.Errorf("entry %s %s is not that of delivery %s, attempt %d", v.Kind, v.Entry, d.ID, d.Attempt)
		}
	}
}

// standIn makes s stand in for a person in a thing of many.
func (n *node) standIn(s id.Subject, people ...id.Subject) {
	n.t.Helper()
	n.standInOf(1, s, people...)
}

// standInOf is standIn in the thing of a number.
func (n *node) standInOf(number byte, s id.Subject, people ...id.Subject) {
	n.t.Helper()
	thing := subject.BindingKey{Tenant: 1, Digest: subject.Digest{number}}
	links := []subject.Link{{Thing: thing, Subject: s, StandIn: true, Many: true}}
	for _, p := range people {
		links = append(links, subject.Link{Thing: thing, Subject: p, Many: true})
	}
	if err := n.db.Do(context.Background(), func(tx store.Tx) error {
		return sqlstore.Subjects{}.InsertLinks(tx, links)
	}); err != nil {
		n.t.Fatal(err)
	}
}
