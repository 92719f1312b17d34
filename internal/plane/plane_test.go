package plane_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/native"
	"domicile.dev/internal/ingest/segment"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/media"
	"domicile.dev/internal/media/files"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/record"
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

// rules declares two kinds, as a programme would.
type rules map[string]*ingest.Kind

func (r rules) Kind(service, name string) *ingest.Kind { return r[service+"/"+name] }
func (rules) Hash() string                             { return "sha256:test" }
func (rules) RetentionDays(service, kind, cat string) uint16 {
	if service == "messaging" && cat == "content" {
		return 30
	}
	return 0
}

func testRules(t testing.TB) rules {
	r := rules{}
	for _, name := range []string{"identify", "track", "alias", "page", "screen", "group"} {
		k, err := ingest.Compile("cdp", name, []ingest.Rule{{Path: "traits", Category: "contact", Owner: "subject"},
			{Path: "userId", Category: "contact", Owner: "subject"}, {Path: "anonymousId", Category: "device", Owner: "subject"},
			{Path: "context", Category: "device", Owner: "subject"}, {Path: "event", Category: "activity", Owner: "subject"},
			{Path: "properties", Category: "content", Owner: "writer"}, {Path: "messageId", Category: "metadata", Owner: "subject"},
			{Path: "type", Category: "metadata", Owner: "subject"}, {Path: "timestamp", Category: "metadata", Owner: "subject"}})
		if err != nil {
			t.Fatal(err)
		}
		r["cdp/"+name] = k
	}
	k, err := ingest.Compile("messaging", "message", []ingest.Rule{{Path: "from", Category: "contact", Owner: "sender"},
		{Path: "to", Category: "contact", Owner: "recipient"}, {Path: "body", Category: "content", Owner: "writer"},
		{Path: "status", Category: "metadata", Owner: "subject"}})
	if err != nil {
		t.Fatal(err)
	}
	r["messaging/message"] = k
	return r
}

// world is one region's data path on a real store.
type world struct {
	t         testing.TB
	region    string
	dir       string
	url       string
	db        store.DB
	vault     *vault.Vault
	log       *record.Log
	led       *ledger.Ledger
	blobStore media.Store

	mediaBytes int64 // 0 is the default
	fetcher    *vendorStub
	*plane.Plane
	teller *teller
	rules  rules
	now    time.Time
	caller *tenant.Caller
	src    *tenant.Source
	web    *tenant.Source
	nat    *tenant.Source
	gpc    bool
	page   int // Options.ReindexPage
}

// eachStore runs fn on a world of each engine.
func eachStore(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, newWorld(t, "")) })
	t.Run("postgres", func(t *testing.T) { fn(t, newWorld(t, pgtest.URL(t))) })
}

// newWorld opens a world on a PostgreSQL URL, or on an embedded store without one.
func newWorld(t testing.TB, url string) *world { return newRegion(t, url, "ie1") }

// newRegion opens the world of a region.
func newRegion(t testing.TB, url, region string) *world {
	w := &world{t: t, region: region, url: url, dir: t.TempDir(), rules: testRules(t), now: time.Now(),
		caller: &tenant.Caller{Tenant: 1, TenantID: "acme", Token: "tok_" + region + "_a"},
		src:    &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_" + region + "_server", Adapter: term.AdapterSegment, Service: "cdp", Trust: term.Server},
		web:    &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_" + region + "_browser", Adapter: term.AdapterSegment, Service: "cdp", Trust: term.Public},
		nat:    &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_" + region + "_native", Adapter: term.AdapterNative, Trust: term.Server}}
	w.open(func(db store.DB) store.DB { return db })
	return w
}

func (w *world) open(wrap func(store.DB) store.DB) {
	w.t.Helper()
	ctx := context.Background()
	must := func(err error) {
		if err != nil {
			w.t.Helper()
			w.t.Fatal(err)
		}
	}
	var db store.DB
	var err error
	if w.url == "" {
		db, err = sqlite.Open(ctx, w.dir, sqlite.Options{Region: w.region})
	} else {
		db, err = postgres.Open(ctx, w.url, postgres.Options{Region: w.region})
	}
	must(err)
	w.db = wrap(db)
	kr, err := keyring.Open("file:"+filepath.Join(w.dir, "keyring"), w.region)
	must(err)
	w.vault, err = vault.Open(ctx, w.db, sqlstore.Vaults{}, kr, vault.Options{Region: w.region})
	must(err)
	w.blobStore, err = files.Open(filepath.Join(w.dir, "blobs"))
	must(err)
	seed, err := kr.Get(ctx, vault.LedgerKey)
	must(err)
	keys, err := ledger.NewKeys(ledger.Origin(w.region), seed)
	must(err)
	w.led, err = ledger.Open(ctx, w.db, sqlstore.Ledgers{}, ledger.Options{Keys: keys})
	must(err)
	w.log, err = record.Open(ctx, w.db, sqlstore.Records{}, record.Options{})
	must(err)
	must(w.db.Do(ctx, func(tx store.Tx) error {
		return sqlstore.Tenants{}.PutTenant(tx, tenant.Tenant{No: 1, ID: "acme", Name: "Acme", CreatedAt: w.now})
	}))
	var fetcher plane.Fetcher
	if w.fetcher != nil {
		fetcher = w.fetcher
	}
	w.teller = newTeller(w)
	w.Plane = plane.New(plane.Parts{Notices: w.teller.flows, Owed: sqlstore.Owed{}, Region: w.region, DB: w.db, Rules: w.rules, Vault: w.vault, Log: w.log, Ledger: w.led,
		Subjects: sqlstore.Subjects{}, Changes: sqlstore.Changes{}, Counters: sqlstore.Stats{}, Moves: sqlstore.Moves{}, Pseudonyms: sqlstore.Pseudonyms{},
		Media: sqlstore.Medias{}, Blobs: w.blobStore, Trust: trustOf, Consents: sqlstore.Consents{}, Choices: w.choices}, plane.Options{Now: func() time.Time { return w.now }, ReindexPage: w.page, Fetcher: fetcher, MediaBytes: w.mediaBytes, Uploads: 4,
		URLs: map[string]string{"ie1": "https://ie1.example.com", "us1": "https://us1.example.com"},
		Adapter: func(source string) string {
			return map[string]string{w.src.ID: w.src.Adapter, w.web.ID: w.web.Adapter, w.nat.ID: w.nat.Adapter}[source]
		}})
	w.t.Cleanup(w.close)
}

func trustOf(source string) term.Trust {
	if strings.HasSuffix(source, "_browser") {
		return term.Public
	}
	return term.Server
}

func (w *world) close() {
	if w.Plane != nil {
		w.Plane.Close()
		if err := w.db.Close(); err != nil {
			w.t.Error(err)
		}
		w.Plane = nil
	}
}

func (w *world) restart() { w.close(); w.open(func(db store.DB) store.DB { return db }) }

// send brings one Segment event and returns what became of it.
func (w *world) send(src *tenant.Source, path, body string) plane.Result {
	w.t.Helper()
	r, err := w.trySend(src, path, body)
	if err != nil {
		w.t.Fatalf("Ingest(%s): %v", path, err)
	}
	return r
}

func (w *world) trySend(src *tenant.Source, path, body string) (plane.Result, error) {
	w.t.Helper()
	decode := segment.Decode
	b, err := decode(path, []byte(body), ingest.Env{ReceivedAt: w.now, Kinds: w.rules, Service: src.Service})
	if src.Adapter == term.AdapterNative {
		b, err = native.Decode("", []byte(body), ingest.Env{ReceivedAt: w.now, Kinds: w.rules})
	}
	if err != nil {
		w.t.Fatalf("Decode: %v", err)
	}
	defer b.Release()
	b.GPC = w.gpc
	return w.Ingest(context.Background(), src, b)
}

func (w *world) find(typ, value string) id.Subject {
	w.t.Helper()
	r, err := w.Find(context.Background(), w.caller, []plane.Identifier{{Type: typ, Value: value}})
	if err != nil {
		w.t.Fatalf("Find(%s): %v", typ, err)
	}
	return r.Subject
}

func (w *world) records(s id.Subject) []plane.RecordView {
	w.t.Helper()
	p, err := w.Records(context.Background(), w.caller, s, plane.Query{Limit: 100})
	if err != nil {
		w.t.Fatalf("Records(%s): %v", s, err)
	}
	return p.Records
}

func (w *world) erase(s id.Subject) plane.Receipt {
	w.t.Helper()
	r, err := w.Erase(context.Background(), w.caller, s, plane.EraseRequest{Reason: "asked"})
	if err != nil {
		w.t.Fatalf("Erase(%s): %v", s, err)
	}
	return r
}

func wantKind(t testing.TB, what string, err error, k fault.Kind, reason string) {
	t.Helper()
	if fault.KindOf(err) != k || fault.ReasonOf(err) != reason {
		t.Errorf("%s: %v, want %s %s", what, err, k, reason)
	}
}

func track(user, message, event string) string {
	return fmt.Sprintf(`{"userId":%q,"messageId":%q,"event":%q,"properties":{"n":1.50},"context":{"ip":"192.0.2.1"}}`, user, message, event)
}

func TestAnEventIsFoundAndReadAsItWasSent(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		sent := track("u1", "m1", "Paid")
		if r := w.send(w.src, "/v1/track", sent); r.Accepted != 1 || r.Duplicate != 0 || len(r.Refused) != 0 {
			t.Fatalf("result %+v", r)
		}
		got := w.records(w.find("user_id", "u1"))
		if len(got) != 1 || got[0].ClientID != "m1" || got[0].Kind != "track" || got[0].Service != "cdp" {
			t.Fatalf("records %+v", got)
		}
		var a, b map[string]any
		if err := json.Unmarshal(got[0].Data, &a); err != nil {
			t.Fatal(err)
		}
		_ = json.Unmarshal([]byte(sent), &b)
		for k, v := range b {
			if fmt.Sprint(a[k]) != fmt.Sprint(v) {
				t.Errorf("%s = %v, want %v", k, a[k], v)
			}
		}
		by, err := w.RecordsByClientID(context.Background(), w.caller, "m1", "")
		if err != nil || len(by) != 1 || by[0].ID != got[0].ID {
			t.Errorf("by client id: %v, %v", by, err)
		}
	})
}

func TestARetryIsADuplicateAlsoAfterARestart(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/track", track("u1", "m1", "Paid"))
		for range 2 {
			if r := w.send(w.src, "/v1/track", track("u1", "m1", "Paid")); r.Duplicate != 1 || r.Accepted != 0 {
				t.Errorf("retry: %+v, want one duplicate", r)
			}
			w.restart()
		}
		if got := w.records(w.find("user_id", "u1")); len(got) != 1 {
			t.Errorf("%d records, want 1", len(got))
		}
	})
}

func TestErasedIsGoneAndARetryResurrectsNobody(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"i1","traits":{"email":"a@example.com"}}`)
		w.send(w.src, "/v1/track", track("u1", "m1", "Paid"))
		s := w.find("email", "a@example.com")
		receipt := w.erase(s)
		if receipt.Records != 2 || receipt.Already {
			t.Errorf("receipt %+v, want 2 records, not already", receipt)
		}
		_, err := w.Records(context.Background(), w.caller, s, plane.Query{Limit: 10})
		wantKind(t, "read after erasure", err, fault.Gone, "subject.erased")
		if f, _ := fault.As(err); f == nil || f.Extra["receipt"] != receipt.Receipt {
			t.Errorf("the refusal lacks the receipt: %v", err)
		}
		_, err = w.Find(context.Background(), w.caller, []plane.Identifier{{Type: "email", Value: "a@example.com"}})
		wantKind(t, "find after erasure", err, fault.NotFound, "subject.unknown")
		_, err = w.RecordsByClientID(context.Background(), w.caller, "m1", "")
		wantKind(t, "by client id after erasure", err, fault.NotFound, "record.unknown")
		for _, late := range []string{`{"userId":"u1","messageId":"i1","traits":{"email":"a@example.com"}}`} {
			if r := w.send(w.src, "/v1/identify", late); r.Duplicate != 1 {
				t.Errorf("late retry: %+v, want a duplicate", r)
			}
		}
		_, err = w.Find(context.Background(), w.caller, []plane.Identifier{{Type: "user_id", Value: "u1"}})
		wantKind(t, "find after a late retry", err, fault.NotFound, "subject.unknown")
		again := w.erase(s)
		if !again.Already || again.Receipt != receipt.Receipt || !again.ErasedAt.Equal(receipt.ErasedAt) || again.Ledger != receipt.Ledger {
			t.Errorf("second erasure %+v, want the receipt %+v", again, receipt)
		}
		// New data of the same person is a new person: nothing said that they must not come back.
		w.send(w.src, "/v1/track", track("u1", "m2", "Back"))
		if n := w.find("user_id", "u1"); n == s {
			t.Error("the erased subject came back")
		}
	})
}

func TestSuppressedPeopleStayOut(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"i1","traits":{"email":"a@example.com"}}`)
		if _, err := w.Erase(context.Background(), w.caller, w.find("user_id", "u1"), plane.EraseRequest{Suppress: true}); err != nil {
			t.Fatal(err)
		}
		for _, body := range []string{track("u1", "m5", "Back"), `{"userId":"u2","messageId":"i2","traits":{"email":"A@Example.com"}}`} {
			path := "/v1/track"
			if body[10:14] == `"u2"` {
				path = "/v1/identify"
			}
			if r := w.send(w.src, path, body); len(r.Refused) != 1 || r.Refused[0].Reason != "subject.suppressed" {
				t.Errorf("suppressed: %+v", r)
			}
		}
	})
}

func TestAClaimDoesNotOpenWhatWasSuppressed(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.web, "/v1/identify", `{"anonymousId":"stranger","messageId":"c1","traits":{"email":"a@example.com"}}`)
		w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"i1","traits":{"email":"a@example.com"}}`)
		if _, err := w.Erase(context.Background(), w.caller, w.find("user_id", "u1"), plane.EraseRequest{Suppress: true}); err != nil {
			t.Fatal(err)
		}
		_, err := w.Find(context.Background(), w.caller, []plane.Identifier{{Type: "email", Value: "a@example.com"}})
		wantKind(t, "find by an address that somebody else claims", err, fault.NotFound, "subject.unknown")
		if r := w.send(w.src, "/v1/identify", `{"userId":"u9","messageId":"i9","traits":{"email":"a@example.com"}}`); len(r.Refused) != 1 {
			t.Errorf("a suppressed address came back: %+v", r)
		}
	})
}

func TestPeopleKnownByABrowserOnlyAreSuppressedToo(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.web, "/v1/identify", `{"userId":"u1","anonymousId":"n1","messageId":"c1","traits":{"email":"a@example.com"}}`)
		if _, err := w.Erase(context.Background(), w.caller, w.find("anonymous_id", "n1"), plane.EraseRequest{Suppress: true}); err != nil {
			t.Fatal(err)
		}
		for i, body := range []string{`{"userId":"u1","messageId":"d1","event":"x"}`, `{"anonymousId":"n1","messageId":"d2","event":"x"}`} {
			if r := w.send(w.web, "/v1/track", body); len(r.Refused) != 1 {
				t.Errorf("event %d of a suppressed person: %+v", i, r)
			}
		}
	})
}

func TestAServerEventMakesClaimsOfAKnownDeviceCountForNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.web, "/v1/identify", `{"anonymousId":"n1","messageId":"c1","traits":{"email":"claimed@example.com"}}`)
		w.send(w.web, "/v1/track", `{"anonymousId":"n1","messageId":"c2","event":"x"}`) // now the device is cached
		if r, err := w.Find(context.Background(), w.caller, []plane.Identifier{{Type: "email", Value: "claimed@example.com"}}); err != nil || r.Subject != w.find("anonymous_id", "n1") {
			t.Errorf("before: %v, %v", r, err)
		}
		w.send(w.src, "/v1/track", `{"anonymousId":"n1","messageId":"c3","event":"x"}`)
		_, err := w.Find(context.Background(), w.caller, []plane.Identifier{{Type: "email", Value: "claimed@example.com"}})
		wantKind(t, "after a server source spoke of the device", err, fault.NotFound, "subject.unknown")
	})
}

func TestSomebodyWithVeryManyDevicesIsErased(t *testing.T) {
	w := newWorld(t, "")
	const devices = 700
	for i := range devices {
		w.send(w.src, "/v1/track", fmt.Sprintf(`{"anonymousId":"n%d","messageId":"t%d","event":"x"}`, i, i))
		w.send(w.src, "/v1/identify", fmt.Sprintf(`{"userId":"u1","anonymousId":"n%d","messageId":"i%d"}`, i, i))
	}
	if r := w.erase(w.find("user_id", "u1")); r.Records != 2*devices {
		t.Errorf("erased %d records, want %d", r.Records, 2*devices)
	}
}

func TestARecordKeepsItsNameWhenOneOfItsPeopleIsErased(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		a, b := "+353209150001", "+353209150002"
		w.send(w.nat, "", oneLine(message("x1", a, "sender", b, "recipient", "hello")))
		w.erase(w.find("phone", a))
		if by, err := w.RecordsByClientID(context.Background(), w.caller, "x1", ""); err != nil || len(by) != 1 || by[0].ClientID != "x1" {
			t.Errorf("by client id after the sender's erasure: %+v, %v", by, err)
		}
		w.erase(w.find("phone", b))
		_, err := w.RecordsByClientID(context.Background(), w.caller, "x1", "")
		wantKind(t, "by client id after both erasures", err, fault.NotFound, "record.unknown")
	})
}

func TestAnErasureTakesTheReasonsAlong(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/track", track("u1", "m1", "Paid"))
		s := w.find("user_id", "u1")
		if _, err := w.Restrict(context.Background(), w.caller, s, "accuracy contested"); err != nil {
			t.Fatal(err)
		}
		w.erase(s)
		if err := w.db.View(context.Background(), func(tx store.Tx) error {
			return sqlstore.Subjects{}.Reasons(tx, subject.Key{Tenant: 1, Subject: s}, func(state string, _ []byte) {
				t.Errorf("the reason of %s is still there", state)
			})
		}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRestrictedPeoplesPartsAreLeftOutOfOthersRecords(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		a, b := "+353209150001", "+353209150002"
		w.send(w.nat, "", oneLine(message("x1", a, "sender", b, "recipient", "hello")))
		if _, err := w.Restrict(context.Background(), w.caller, w.find("phone", a), ""); err != nil {
			t.Fatal(err)
		}
		var data map[string]any
		_ = json.Unmarshal(w.records(w.find("phone", b))[0].Data, &data)
		if data["body"] != nil || data["from"] != nil || data["to"] != b {
			t.Errorf("the other person's record shows %v", data)
		}
	})
}

func TestMergedPeopleAreErasedAsOne(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/track", `{"anonymousId":"n1","messageId":"m1","event":"Viewed"}`)
		w.send(w.src, "/v1/track", track("u1", "m2", "Paid"))
		before := w.find("anonymous_id", "n1")
		w.send(w.src, "/v1/alias", `{"userId":"u1","previousId":"n1","messageId":"m3"}`)
		s := w.find("anonymous_id", "n1")
		if s != w.find("user_id", "u1") || s == before {
			t.Fatal("alias did not make them one person with the user as head")
		}
		if n := len(w.records(s)); n != 3 {
			t.Errorf("%d records of the merged person, want 3", n)
		}
		if n := len(w.records(before)); n != 3 {
			t.Errorf("%d records by the old subject, want 3", n)
		}
		if r := w.erase(before); r.Records != 3 {
			t.Errorf("erased %d records, want 3", r.Records)
		}
		for _, sub := range []id.Subject{s, before} {
			_, err := w.Records(context.Background(), w.caller, sub, plane.Query{Limit: 10})
			wantKind(t, "read", err, fault.Gone, "subject.erased")
		}
	})
}

func TestHeldPeopleCantBeErasedUntilReleased(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/track", track("u1", "m1", "Paid"))
		s := w.find("user_id", "u1")
		ctx := context.Background()
		if c, err := w.Hold(ctx, w.caller, s, "case", w.now.Add(time.Hour)); err != nil || len(c.States) != 1 || c.States[0] != "held" {
			t.Fatalf("Hold: %+v, %v", c, err)
		}
		_, err := w.Erase(ctx, w.caller, s, plane.EraseRequest{})
		wantKind(t, "erase", err, fault.Conflict, "hold.in_force")
		w.now = w.now.Add(2 * time.Hour) // the hold has ended by itself
		w.erase(s)
	})
}

func TestRestrictedPeopleAreReadForAPurposeOnly(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/track", track("u1", "m1", "Paid"))
		s := w.find("user_id", "u1")
		ctx := context.Background()
		if _, err := w.Restrict(ctx, w.caller, s, ""); err != nil {
			t.Fatal(err)
		}
		_, err := w.Records(ctx, w.caller, s, plane.Query{Limit: 10})
		wantKind(t, "read", err, fault.Forbidden, "subject.restricted")
		_, err = w.Export(ctx, w.caller, s, "", func(plane.RecordView) error { return nil })
		wantKind(t, "export", err, fault.Forbidden, "subject.restricted")
		_, err = w.RecordsByClientID(ctx, w.caller, "m1", "")
		wantKind(t, "read by client id", err, fault.Forbidden, "subject.restricted")
		if by, err := w.RecordsByClientID(ctx, w.caller, "m1", "consent"); err != nil || len(by) != 1 {
			t.Errorf("read by client id for a purpose: %v, %v", by, err)
		}
		if _, err := w.Restrict(ctx, w.caller, s, "accuracy contested"); err != nil {
			t.Fatal(err)
		}
		if v, err := w.Subject(ctx, w.caller, s); err != nil || v.Reasons["restricted"] != "accuracy contested" {
			t.Errorf("the reason reads %q, %v", v.Reasons, err)
		}
		if p, err := w.Records(ctx, w.caller, s, plane.Query{Limit: 10, Purpose: "legal-claims"}); err != nil || len(p.Records) != 1 {
			t.Errorf("read for legal claims: %v, %v", p, err)
		}
		if r := w.send(w.src, "/v1/track", track("u1", "m2", "Paid")); r.Accepted != 1 {
			t.Errorf("a restricted person's event: %+v, want it stored", r)
		}
		if _, err := w.Unrestrict(ctx, w.caller, s, ""); err != nil {
			t.Fatal(err)
		}
		if n := len(w.records(s)); n != 2 {
			t.Errorf("%d records, want 2", n)
		}
	})
}

func message(id, from, fromRole, to, toRole, body string) string {
	return fmt.Sprintf(`{"id":%q,"kind":"message","service":"messaging","occurred_at":"2026-11-22T10:00:00Z",
		"subjects":[{"type":"phone","value":%q,"role":%q},{"type":"phone","value":%q,"role":%q}],
		"data":{"from":%q,"to":%q,"body":%q,"status":"sent"}}`, id, from, fromRole, to, toRole, from, to, body)
}

func oneLine(s string) string {
	var b []byte
	for i := range len(s) {
		if s[i] != '\n' && s[i] != '\t' {
			b = append(b, s[i])
		}
	}
	return string(b)
}

func TestEachPersonsPartsGoWithThem(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		a, b := "+353209150001", "+353209150002"
		if r := w.send(w.nat, "", oneLine(message("x1", a, "sender", b, "recipient", "hello from A"))); r.Accepted != 1 {
			t.Fatalf("%+v", r)
		}
		sa, sb := w.find("phone", a), w.find("phone", b)
		if sa == sb {
			t.Fatal("sender and recipient are one person")
		}
		var export []plane.RecordView
		if _, err := w.Export(context.Background(), w.caller, sb, "", func(v plane.RecordView) error { export = append(export, v); return nil }); err != nil {
			t.Fatal(err)
		}
		var data map[string]any
		_ = json.Unmarshal(export[0].Data, &data)
		if data["body"] != "hello from A" || data["to"] != b || data["from"] != nil {
			t.Errorf("the recipient's export is %v: want what was written to them, without the writer's number", data)
		}
		w.erase(sa)
		got := w.records(sb)
		_ = json.Unmarshal(got[0].Data, &data)
		data = map[string]any{}
		_ = json.Unmarshal(got[0].Data, &data)
		if data["body"] != nil || data["from"] != nil || data["to"] != b {
			t.Errorf("after the writer's erasure the tenant reads %v", data)
		}
		if len(got[0].Gone) == 0 {
			t.Error("the missing categories are not named")
		}
	})
}

func TestTenantsNeverSeeEachOther(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		if err := w.db.Do(context.Background(), func(tx store.Tx) error {
			return sqlstore.Tenants{}.PutTenant(tx, tenant.Tenant{No: 2, ID: "globex", Name: "Globex", CreatedAt: w.now})
		}); err != nil {
			t.Fatal(err)
		}
		other := &tenant.Source{Tenant: 2, TenantID: "globex", ID: "src_other", Adapter: term.AdapterSegment, Service: "cdp", Trust: term.Server}
		body := `{"userId":"u1","messageId":"m1","traits":{"email":"a@example.com"}}`
		w.send(w.src, "/v1/identify", body)
		if r := w.send(other, "/v1/identify", body); r.Accepted != 1 {
			t.Fatalf("the other tenant's event: %+v, want it accepted", r)
		}
		mine := w.find("email", "a@example.com")
		globex := &tenant.Caller{Tenant: 2, TenantID: "globex", Token: "tok_2"}
		theirs, err := w.Find(context.Background(), globex, []plane.Identifier{{Type: "email", Value: "a@example.com"}})
		if err != nil || theirs.Subject == mine {
			t.Fatalf("Find for the other tenant: %v, %v", theirs, err)
		}
		_, err = w.Records(context.Background(), globex, mine, plane.Query{Limit: 10})
		wantKind(t, "read another tenant's person", err, fault.NotFound, "subject.unknown")
		_, err = w.Erase(context.Background(), globex, mine, plane.EraseRequest{})
		wantKind(t, "erase another tenant's person", err, fault.NotFound, "subject.unknown")
		w.erase(mine)
		if by, err := w.RecordsByClientID(context.Background(), globex, "m1", ""); err != nil || len(by) != 1 {
			t.Errorf("the other tenant's record: %v, %v", by, err)
		}
	})
}

func TestStatsCountOutcomes(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/batch", `{"batch":[`+typed("track", track("u1", "m1", "A"))+`,`+typed("track", track("u1", "m1", "A"))+`,{"type":"track","messageId":"m3"}]}`)
		s, err := w.Stats(context.Background(), w.caller, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int64{}
		for _, c := range s.Counts {
			got[c.Outcome] += c.N
		}
		if got["accepted"] != 1 || got["duplicate"] != 1 || got["refused"] != 1 {
			t.Errorf("counts %v, want one of each", got)
		}
		list, err := w.Refusals(context.Background(), w.caller)
		if err != nil || len(list) != 1 {
			t.Errorf("refusals %v, %v", list, err)
		}
	})
}

func typed(typ, body string) string { return `{"type":"` + typ + `",` + body[1:] }
