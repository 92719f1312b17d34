package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/mod/sumdb/tlog"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/media"
	dataplane "domicile.dev/internal/plane"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlite"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"domicile.dev/internal/vault"
	"domicile.dev/internal/web/api"
	"domicile.dev/internal/web/guard"
)

var now = time.Date(2026, 3, 1, 12, 30, 0, 123e6, time.UTC)

const operatorToken = "dok_ie1_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// plane is the data path as the API sees it: it answers what the test says and notes what it was
// asked.
type plane struct {
	mu      sync.Mutex
	calls   []string // guarded by mu
	fail    error
	caller  *tenant.Caller
	said    api.Say
	query   api.Query
	erase   api.EraseRequest
	ids     []api.Identifier
	reason  string
	until   time.Time
	since   time.Time
	client  string
	records []api.RecordView
	cutAt   int           // Export fails before this record, when it is set
	wait    chan struct{} // Erase waits for it, when it is set
	waits   chan struct{} // and says so here
	blobs   media.Store   // with mediaContent
	key     *seal.BlobKey
}

func (p *plane) called(name string, c *tenant.Caller) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls, p.caller = append(p.calls, name), c
	return p.fail
}

func (p *plane) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}

func (p *plane) Find(_ context.Context, c *tenant.Caller, ids []api.Identifier) (api.Found, error) {
	p.ids = ids
	return api.Found{Subject: subject(1), Claimed: []id.Subject{subject(2)}}, p.called("find", c)
}

func (p *plane) Profile(_ context.Context, c *tenant.Caller, s id.Subject, purpose string) (api.SubjectView, error) {
	p.query.Purpose = purpose
	return api.SubjectView{Subject: s, Members: []id.Subject{s}, States: []string{"restricted"}, Counts: map[string]int64{"cdp/track": 2}, CreatedAt: now,
		Identifiers: []api.IdentifierView{{Type: "email", Value: "ann@example.com", Source: "src_ie1_x", State: "known", Since: now},
			{Type: "phone", Value: "+353851234567", Source: "src_ie1_x", State: "retired", Since: now, RetiredAt: now},
			{Type: "phone", Value: "+353851234568", Source: "src_ie1_x", State: "shared", Shared: true, SharedWith: []id.Subject{subject(2)}, Since: now}},
		Refused: []api.RefusedLinkView{{Reason: "identity.two_user_ids", Type: "email", With: subject(2), Source: "src_ie1_x", Count: 2, FirstAt: now, LastAt: now},
			{Reason: "identity.claim_ignored", Type: "email", Source: "src_ie1_y", Count: 1, FirstAt: now, LastAt: now}},
		Traits: &api.Traits{Current: []api.Trait{{Name: "plan", Value: []byte(`"pro"`), Source: "src_ie1_x", AsOf: now}}}}, p.called("subject", c)
}

func (p *plane) Records(_ context.Context, c *tenant.Caller, _ id.Subject, q api.Query) (api.Page, error) {
	p.query = q
	return api.Page{Records: p.records, Next: "cur_next"}, p.called("records", c)
}

func (p *plane) RecordsByClientID(_ context.Context, c *tenant.Caller, clientID, purpose string) ([]api.RecordView, error) {
	p.client = clientID
	return p.records, p.called("by-client-id", c)
}

func (p *plane) OpenMedia(ctx context.Context, c *tenant.Caller, _ id.Record, m id.Media, purpose string) (*dataplane.MediaContent, error) {
	p.query.Purpose = purpose
	if err := p.called("media", c); err != nil {
		return nil, err
	}
	return &dataplane.MediaContent{MediaView: aMedia(m), Reader: media.NewReader(ctx, p.blobs, media.Name(1, m), p.key, seal.BlobPlace{Media: m},
		int64(len(mediaContent)), func() error { return nil })}, nil
}

func (p *plane) Export(_ context.Context, c *tenant.Caller, _ id.Subject, purpose string, each func(api.RecordView) error) (api.ExportSummary, error) {
	p.query.Purpose = purpose
	if err := p.called("export", c); err != nil {
		return api.ExportSummary{}, err
	}
	for i, r := range p.records {
		if p.cutAt > 0 && i == p.cutAt {
			return api.ExportSummary{}, fault.New(fault.Gone, "subject.erased", "erased")
		}
		if err := each(r); err != nil {
			return api.ExportSummary{}, err
		}
	}
	return api.ExportSummary{Records: int64(len(p.records))}, nil
}

func (p *plane) Erase(_ context.Context, c *tenant.Caller, _ id.Subject, r api.EraseRequest) (api.Receipt, error) {
	p.erase = r
	err := p.called("erase", c)
	if p.wait != nil {
		p.waits <- struct{}{}
		<-p.wait
	}
	return api.Receipt{Receipt: "rcp_x", ErasedAt: now, UnrecoverableBy: now.Add(7 * 24 * time.Hour), Records: 3, Ledger: ref(), Already: p.count() > 1}, err
}

func (p *plane) state(name string, c *tenant.Caller, s id.Subject, reason string) (api.StateChange, error) {
	p.reason = reason
	return api.StateChange{Subject: s, States: []string{"held"}, HoldUntil: &now, Ledger: ref()}, p.called(name, c)
}

func (p *plane) Restrict(_ context.Context, c *tenant.Caller, s id.Subject, reason string) (api.StateChange, error) {
	return p.state("restrict", c, s, reason)
}

func (p *plane) Unrestrict(_ context.Context, c *tenant.Caller, s id.Subject, reason string) (api.StateChange, error) {
	return p.state("unrestrict", c, s, reason)
}

func (p *plane) Hold(_ context.Context, c *tenant.Caller, s id.Subject, reason string, until time.Time) (api.StateChange, error) {
	p.until = until
	return p.state("hold", c, s, reason)
}

func (p *plane) Release(_ context.Context, c *tenant.Caller, s id.Subject, reason string) (api.StateChange, error) {
	return p.state("release", c, s, reason)
}

func (p *plane) Tell(_ context.Context, c *tenant.Caller, s id.Subject, say api.Say) (api.SayChange, error) {
	p.said = say
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var again *dataplane.Again
	if say.Text == "v1" {
		again = &dataplane.Again{Version: "v3", From: programme.FirstDay("2026-12-25")}
	}
	return api.SayChange{Subject: s, Says: []api.SayView{{Again: again, About: say.About, Word: say.Word, At: now, ReceivedAt: now, How: say.How, Source: "tok_ie1_a", Text: say.Text}},
		Ledger: ref()}, p.called("tell", c)
}

func (p *plane) AskAgain(_ context.Context, c *tenant.Caller, purpose string, after id.Subject, limit int) (dataplane.AgainPage, error) {
	p.query = api.Query{Kind: purpose, After: after.String(), Limit: limit}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s, _ := id.ParseSubject(sub)
	return dataplane.AgainPage{Next: s, Consents: []dataplane.AgainView{{Subject: s, Purpose: "analytics", At: at, Text: "v1", Counts: true,
		Again: dataplane.Again{Version: "v3", From: programme.FirstDay("2026-12-25")}}}}, p.called("ask-again", c)
}

func (p *plane) Retire(_ context.Context, c *tenant.Caller, s id.Subject, ids []api.Identifier) (api.IdentifierChange, error) {
	p.ids = ids
	return api.IdentifierChange{Subject: s, Changed: 1, Ledger: ref()}, p.called("retire", c)
}

func (p *plane) Link(_ context.Context, c *tenant.Caller, s id.Subject, ids []api.Identifier) (api.IdentifierChange, error) {
	p.ids = ids
	return api.IdentifierChange{Subject: s, Changed: 1, Ledger: ref()}, p.called("link", c)
}

func (p *plane) Stats(_ context.Context, c *tenant.Caller, since time.Time) (api.Stats, error) {
	p.since = since
	return api.Stats{Since: since, Counts: []api.Count{{Service: "cdp", Kind: "track", Outcome: "refused", Reason: "event.bad_json", N: 4}}}, p.called("stats", c)
}

func (p *plane) Refusals(_ context.Context, c *tenant.Caller) ([]api.Refusal, error) {
	return []api.Refusal{{Source: "src_ie1_x", Reason: "event.bad_json", Path: "properties.*", N: 4, FirstAt: now, LastAt: now}}, p.called("refusals", c)
}

func (p *plane) Violations(_ context.Context, c *tenant.Caller) ([]api.Violation, error) {
	return []api.Violation{{Source: "src_ie1_x", Finding: ingest.Finding{Plan: "shop", Event: "Order Completed", Path: "properties.*", What: ingest.FoundUnplannedProperty,
			Done: ingest.DoneKept, Looks: "email_address", Suggest: ingest.Place{Category: "contact_data", Element: "email_address"}, N: 2}, FirstAt: now, LastAt: now},
			{Source: "src_ie1_x", Finding: ingest.Finding{Path: "context.location.latitude", What: ingest.FoundCoordinates, Done: ingest.DoneDropped, N: 3}, FirstAt: now, LastAt: now}},
		p.called("violations", c)
}

func (p *plane) LedgerEntry(_ context.Context, c *tenant.Caller, e id.Entry) (ledger.EntryView, error) {
	note := "domicile/ie1\n8\n"
	return ledger.EntryView{ID: e.String(), Index: 7, Entry: []byte(`{"kind":"erase"}`), Nonce: []byte("0123456789abcdef"), Proof: []tlog.Hash{{1}},
		Checkpoint: &note, Sub: &ledger.SubView{Ordinal: 1, Path: []tlog.Hash{{2}}, LeafEntry: []byte(`{}`), LeafNonce: []byte("x")}}, p.called("entry", c)
}

func (p *plane) Keys(_ context.Context, c *tenant.Caller) (api.KeysView, error) {
	return api.KeysView{Epochs: []vault.Epoch{{N: 1, CreatedAt: now, DestroyedAt: now}, {N: 2, CreatedAt: now}}, Kept: []bool{true, false}, Rotating: true, Left: 7,
		Index: []vault.IndexVersion{{N: 1, CreatedAt: now, RetiredAt: now, EndedAt: now}, {N: 2, CreatedAt: now, Moved: 3}}}, p.called("keys", c)
}

func (p *plane) RotateIndex(ctx context.Context, c *tenant.Caller) (api.KeysView, bool, error) {
	v, err := p.Keys(ctx, c)
	return v, true, err
}

func subject(n byte) (s id.Subject) { s[0] = n; return s }

func ref() api.Ref { return api.Ref{Entry: id.Entry{1}, Index: 7} }

// aRecord has text that JSON must escape, and a line break between tokens of its data.
func aRecord(n uint32) api.RecordView {
	return api.RecordView{ID: id.Record{Chunk: id.Chunk{1}, Ordinal: n}, ClientID: "m-\"1\"\n", Kind: "track", Service: "cdp", OccurredAt: now,
		ReceivedAt: now, Categories: []string{"usage", "device"}, Gone: []string{"contact"}, Data: []byte("{\"event\":\n\"Söme <thing>\"}")}
}

// world is an API on a listener, over a plane that pretends.
type world struct {
	t      *testing.T
	plane  *plane
	moves  *mover
	url    string
	token  string // of the tenant acme
	log    *bytes.Buffer
	now    func() time.Time
	client *http.Client
}

type noLedger struct{}

func (noLedger) Enter(store.Tx, string, string, any) (id.Entry, error) { return id.Entry{2}, nil }
func (noLedger) Entered()                                              {}

func newWorld(t *testing.T) *world {
	w := &world{t: t, plane: withMedia(t, &plane{records: []api.RecordView{aRecord(1), aRecord(2)}}), log: &bytes.Buffer{}, now: func() time.Time { return now }}
	w.moves = &mover{}
	h, token := handler(t, w.plane, w.moves, w.log, func() time.Time { return w.now() })
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	w.url, w.token, w.client = s.URL, token, s.Client()
	return w
}

// oneKey seals the secrets of all sources.
type oneKey struct{}

func (oneKey) SourceKey(string, string) *seal.Key {
	k, err := seal.NewKey(bytes.Repeat([]byte{9}, seal.KeyBytes))
	if err != nil {
		panic(err)
	}
	return k
}

// openStore returns an empty store.
var openStore = func(t testing.TB) (store.DB, error) {
	return sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
}

// openAnswers is where answers are kept.
var openAnswers api.Answers = sqlstore.Idempotency{}

func handler(t testing.TB, p api.Service, moves api.Moves, log io.Writer, clock func() time.Time) (http.Handler, string) {
	t.Helper()
	db, err := openStore(t)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	accounts, err := tenant.Open(t.Context(), db, sqlstore.Tenants{}, noLedger{}, tenant.Options{Region: "ie1", OperatorToken: operatorToken,
		Peers: map[string]string{"us1": "https://us1.example.com"}, Keys: oneKey{},
		Adapters: []string{term.AdapterSegment, term.AdapterNative, term.AdapterTwilio, term.AdapterWhatsApp}})
	if err != nil {
		t.Fatal(err)
	}
	_, _, token, _, err := accounts.CreateTenant(t.Context(), tenant.Operator, "acme", "")
	if err != nil {
		t.Fatal(err)
	}
	facts := register.Open(db, sqlstore.Registers{}, noLedger{}, register.Options{Now: clock})
	m, _ := moves.(*mover)
	if m == nil {
		m = &mover{}
	}
	a, err := api.New(p, accounts, api.Options{Region: "ie1", Programme: func() string { return "sha256:00" }, DB: db, Answers: openAnswers,
		Secret: bytes.Repeat([]byte{7}, 32), Moves: moves, Flows: &m.flows, Notices: &m.flows, Heard: heards{}, Now: clock, Register: facts, Decider: decider{facts}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", a)
	g := guard.New(slog.New(slog.NewTextHandler(log, nil)), prometheus.NewRegistry(), guard.Options{AccessLog: true})
	return g.Wrap(mux), token
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (w *world) do(method, path, body string, headers ...string) reply {
	w.t.Helper()
	r, err := w.send(method, path, body, headers...)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// send sends a request with the tenant's token unless headers, in pairs, have another.
func (w *world) send(method, path, body string, headers ...string) (reply, error) {
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := w.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, b}, err
}

func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(r.body, &m); err != nil {
		t.Fatalf("status %d, not JSON: %v", r.status, err)
	}
	return m
}

// problem checks that r is a problem and returns its reason.
func (r reply) problem(t *testing.T) string {
	t.Helper()
	if ct := r.header.Get("Content-Type"); ct != guard.ProblemType {
		t.Fatalf("status %d is of type %q, want a problem", r.status, ct)
	}
	m := r.json(t)
	reason, _ := m["reason"].(string)
	if m["type"] != "urn:domicile:problem:"+reason || m["status"] != float64(r.status) || m["title"] == "" {
		t.Errorf("problem %v does not fit status %d", m, r.status)
	}
	if req, _ := m["request"].(string); !strings.HasPrefix(req, "req_") {
		t.Errorf("problem %s does not name its request", reason)
	}
	return reason
}

var sub = subject(1).String()

func (p *plane) Reidentify(_ context.Context, c *tenant.Caller, _ api.ReidentifyRequest) (api.Reidentified, error) {
	return api.Reidentified{Subject: subject(1), Ledger: ref()}, p.called("reidentify", c)
}
