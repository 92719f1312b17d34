package tenant_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/postgres"
	"domicile.dev/internal/store/sqlite"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest/pgtest"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// world is one region's tenants on a store of their own.
type world struct {
	*tenant.Service
	t       testing.TB
	db      store.DB
	dir     string
	now     time.Time
	entered []string // "kind tenant body"
	fail    error    // what the ledger answers
	keys    tenant.Keys
	log     *slog.Logger
}

func (w *world) Enter(_ store.Tx, kind, tenantID string, body any) (id.Entry, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return id.Entry{}, err
	}
	w.entered = append(w.entered, kind+" "+tenantID+" "+string(b))
	return id.NewEntry(), w.fail
}

func (w *world) Entered() {}

const operatorToken = "dok_ie1_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// openStore returns an empty store; with SQLite its files are in dir.
var openStore = func(t testing.TB, dir string) (store.DB, error) {
	return sqlite.Open(t.Context(), dir, sqlite.Options{})
}

// TestOnPostgreSQL runs what asks the store for something on the other engine.
func TestOnPostgreSQL(t *testing.T) {
	onSQLite := openStore
	openStore = func(t testing.TB, _ string) (store.DB, error) {
		return postgres.Open(t.Context(), pgtest.URL(t), postgres.Options{Region: "ie1"})
	}
	defer func() { openStore = onSQLite }()
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"rotation", TestRotationEndsTheOldKeyAtOnceOrAfterItsGrace}, {"disabling", TestDisablingStopsAndEnablingGoesOn}, {"who", TestWhoMayManageWhat},
		{"entered or not at all", TestAChangeThatCannotBeEnteredDoesNotHappen}, {"restart", TestAccountsOutliveTheProcess},
		{"another node", TestAKeyMadeOnAnotherNodeWorksAtOnce}, {"another node disables", TestWhatAnotherNodeDisabledStopsHere}, {"ids", TestTenantIDs},
		{"settings", TestSettingsAreKeptEnteredAndOnTheSources}, {"settings of others", TestWhoMaySetSettings}, {"another node's settings", TestSettingsMadeOnAnotherNodeHoldHere},
		{"secrets", TestSecretsAreStoredSealed}, {"secrets rotate", TestASecretIsRotatedWithGrace}, {"another node's secret", TestASecretSetOnAnotherNodeHoldsAtOnce},
		{"tokens", TestAnAssertionGetsATokenForAnHour}, {"OAuth keys rotate", TestAnOAuthKeyIsRotatedWithGrace},
		{"another node rotates", TestASecretRotatedOnAnotherNodeHoldsAtOnce}, {"old secrets", TestAnOldSecretIsGoneWhenItsGraceIsOver},
	} {
		t.Run(test.name, test.run)
	}
}

func newWorld(t testing.TB) *world {
	dir := t.TempDir()
	db, err := openStore(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w := &world{t: t, db: db, dir: dir, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), keys: someKeys(7)}
	w.Service = w.open(db)
	return w
}

func (w *world) open(db store.DB) *tenant.Service { return w.openEvery(db, 0) }

// openPolling opens a node that looks often.
func (w *world) openPolling(db store.DB) *tenant.Service { return w.openEvery(db, time.Millisecond) }

func (w *world) openEvery(db store.DB, poll time.Duration) *tenant.Service {
	s, err := tenant.Open(w.t.Context(), db, sqlstore.Tenants{}, w, tenant.Options{Region: "ie1", OperatorToken: operatorToken, Poll: poll,
		Peers:    map[string]string{"us1": "https://us1.example.com"},
		Adapters: []string{term.AdapterSegment, term.AdapterNative, term.AdapterTwilio, term.AdapterWhatsApp}, Keys: w.keys, Log: w.log, Now: func() time.Time { return w.now }})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// tenant makes one and returns its caller and token.
func (w *world) tenant(id string) (*tenant.Caller, string) {
	w.t.Helper()
	_, _, token, _, err := w.CreateTenant(w.t.Context(), tenant.Operator, id, "")
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := w.TenantByToken(token)
	if err != nil {
		w.t.Fatal(err)
	}
	return c, token
}

func (w *world) source(c *tenant.Caller) (tenant.Source, string) {
	w.t.Helper()
	s, key, _, err := w.CreateSource(w.t.Context(), c, c.TenantID, tenant.NewSource{Adapter: "segment", Service: "cdp"})
	if err != nil {
		w.t.Fatal(err)
	}
	return s, key
}

func wantFault(t *testing.T, err error, kind fault.Kind, reason string) {
	t.Helper()
	if fault.KindOf(err) != kind || fault.ReasonOf(err) != reason {
		t.Errorf("fault %v, want %s %s", err, kind, reason)
	}
}

func TestKeysSayWhereTheyBelongAndAreNotStored(t *testing.T) {
	w := newWorld(t)
	c, token := w.tenant("acme")
	s, key := w.source(c)
	if !regexp.MustCompile(`^dwk_ie1_[a-z2-7]{52}$`).MatchString(key) {
		t.Errorf("key of another form, %d characters", len(key))
	}
	if !regexp.MustCompile(`^dtk_ie1_[a-z2-7]{52}$`).MatchString(token) {
		t.Errorf("token of another form, %d characters", len(token))
	}
	if !strings.HasPrefix(s.ID, "src_ie1_") {
		t.Errorf("source id %s does not name its region", s.ID)
	}
	got, err := w.SourceByKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*got, s); diff != "" {
		t.Errorf("SourceByKey (-got +want):\n%s", diff)
	}
	if !held(t, w.dir, s.ID) {
		t.Fatal("the source's id isn't in the store's files: they are the wrong ones")
	}
	for _, secret := range []string{key, token} {
		if held(t, w.dir, secret) {
			t.Error("a credential is in the store in clear")
		}
	}
}

// held says whether secret is in any file under dir.
func held(t *testing.T, dir, secret string) bool {
	t.Helper()
	found := false
	if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		found = found || strings.Contains(string(b), secret)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestCredentialsThatDoNotFit(t *testing.T) {
	w := newWorld(t)
	c, token := w.tenant("acme")
	_, key := w.source(c)
	elsewhere := func(region string) string { return strings.Replace(key, "_ie1_", "_"+region+"_", 1) }
	for _, tt := range []struct {
		name, key string
		kind      fault.Kind
		reason    string
	}{
		{"empty", "", fault.Unauthenticated, "credential.unknown"},
		{"no credential at all", "hunter2", fault.Unauthenticated, "credential.unknown"},
		{"one character off", key[:len(key)-1] + "8", fault.Unauthenticated, "credential.unknown"},
		{"cut short", key[:20], fault.Unauthenticated, "credential.unknown"},
		{"endless", key + strings.Repeat("a", 1<<20), fault.Unauthenticated, "credential.unknown"},
		{"a token where a key belongs", token, fault.Unauthenticated, "credential.wrong_kind"},
		{"of another region", elsewhere("us1"), fault.WrongRegion, "residency.wrong_region"},
		{"of a region nobody knows", elsewhere("xx9"), fault.Unauthenticated, "credential.unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.SourceByKey(tt.key)
			wantFault(t, err, tt.kind, tt.reason)
			if f, _ := fault.As(err); tt.kind == fault.WrongRegion && f.Extra["url"] != "https://us1.example.com" {
				t.Errorf("url %v, want that of us1", f.Extra["url"])
			}
			if err != nil && len(tt.key) > 20 && strings.Contains(err.Error(), tt.key[8:20]) {
				t.Error("the error repeats the key")
			}
		})
	}
}

func TestRotationEndsTheOldKeyAtOnceOrAfterItsGrace(t *testing.T) {
	w := newWorld(t)
	c, token := w.tenant("acme")
	s, k1 := w.source(c)
	works := func(key string) bool { _, err := w.SourceByKey(key); return err == nil }

	_, k2, _, err := w.RotateSource(t.Context(), c, "acme", s.ID, "", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if !works(k1) || !works(k2) {
		t.Fatal("both keys work during the grace")
	}
	w.now = w.now.Add(time.Hour - time.Second)
	if !works(k1) {
		t.Error("the old key ceased before its grace was over")
	}
	w.now = w.now.Add(time.Second)
	if works(k1) || !works(k2) {
		t.Error("the old key works after its grace, or the new one doesn't")
	}
	_, k3, _, err := w.RotateSource(t.Context(), c, "acme", s.ID, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if works(k2) || !works(k3) {
		t.Error("without a grace the old key ceases at once")
	}

	_, t2, _, err := w.RotateToken(t.Context(), tenant.Operator, "acme", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.TenantByToken(token); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("old token: %v, want unauthenticated", err)
	}
	if _, err := w.TenantByToken(t2); err != nil {
		t.Errorf("new token: %v", err)
	}
	_, _, _, err = w.RotateSource(t.Context(), c, "acme", s.ID, "", 31*24*time.Hour)
	wantFault(t, err, fault.Invalid, "grace.out_of_range")
}

func TestDisablingStopsAndEnablingGoesOn(t *testing.T) {
	w := newWorld(t)
	c, token := w.tenant("acme")
	s, key := w.source(c)
	ctx := t.Context()

	if _, _, err := w.SetSource(ctx, c, "acme", s.ID, true); err != nil {
		t.Fatal(err)
	}
	_, err := w.SourceByKey(key)
	wantFault(t, err, fault.Forbidden, "source.disabled")
	if _, _, err := w.SetSource(ctx, c, "acme", s.ID, false); err != nil {
		t.Fatal(err)
	}
	if _, err := w.SourceByKey(key); err != nil {
		t.Errorf("enabled source: %v", err)
	}
	if _, _, err := w.SetTenant(ctx, tenant.Operator, "acme", true); err != nil {
		t.Fatal(err)
	}
	_, err = w.SourceByKey(key)
	wantFault(t, err, fault.Forbidden, "tenant.disabled")
	_, err = w.TenantByToken(token)
	wantFault(t, err, fault.Forbidden, "tenant.disabled")
	_, err = w.Hook(s.ID)
	wantFault(t, err, fault.Forbidden, "tenant.disabled")
	if _, _, err := w.SetTenant(ctx, tenant.Operator, "acme", false); err != nil {
		t.Fatal(err)
	}
	toks, err := w.Tokens(tenant.Operator, "acme")
	if err != nil || len(toks) != 1 {
		t.Fatalf("Tokens: %d, %v, want the first one", len(toks), err)
	}
	if _, _, err := w.SetToken(ctx, tenant.Operator, "acme", toks[0].ID, true); err != nil {
		t.Fatal(err)
	}
	_, err = w.TenantByToken(token)
	wantFault(t, err, fault.Forbidden, "token.disabled")
}

func TestWhoMayManageWhat(t *testing.T) {
	w := newWorld(t)
	ann, _ := w.tenant("ann")
	bob, _ := w.tenant("bob")
	s, _ := w.source(ann)
	ctx := t.Context()

	_, _, _, _, err := w.CreateTenant(ctx, ann, "carol", "")
	wantFault(t, err, fault.Forbidden, "operator.only")
	_, _, err = w.SetTenant(ctx, ann, "ann", true)
	wantFault(t, err, fault.Forbidden, "operator.only")
	_, _, _, err = w.CreateToken(ctx, ann, "ann", "spare")
	wantFault(t, err, fault.Forbidden, "operator.only")
	_, err = w.Sources(bob, "ann")
	wantFault(t, err, fault.NotFound, "tenant.not_found")
	_, _, err = w.SetSource(ctx, bob, "ann", s.ID, true)
	wantFault(t, err, fault.NotFound, "tenant.not_found")
	_, _, err = w.SetSource(ctx, bob, "bob", s.ID, true) // another's source under one's own name
	wantFault(t, err, fault.NotFound, "source.not_found")
	if all := w.Tenants(bob); len(all) != 1 || all[0].ID != "bob" {
		t.Errorf("a tenant sees %v, want itself", all)
	}
	if all := w.Tenants(tenant.Operator); len(all) != 2 {
		t.Errorf("the operator sees %d tenants, want 2", len(all))
	}

	c, err := w.CallerByToken(operatorToken)
	if err != nil || !c.Operator {
		t.Fatalf("operator's token: %v", err)
	}
	_, err = w.TenantByToken(operatorToken)
	wantFault(t, err, fault.Forbidden, "operator.no_data")
	_, err = w.CallerByToken(strings.Replace(operatorToken, "aaaa", "aaab", 1))
	wantFault(t, err, fault.Unauthenticated, "credential.unknown")
}

func TestEachChangeIsEnteredWithoutKeys(t *testing.T) {
	w := newWorld(t)
	c, token := w.tenant("acme")
	s, key := w.source(c)
	ctx := t.Context()
	_, k2, _, err1 := w.RotateSource(ctx, c, "acme", s.ID, "", 0)
	_, _, err2 := w.SetSource(ctx, c, "acme", s.ID, true)
	_, _, err3 := w.SetTenant(ctx, tenant.Operator, "acme", true)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range w.entered {
		kind, _, _ := strings.Cut(e, " ")
		kinds = append(kinds, kind)
		for _, secret := range []string{token, key, k2} {
			if strings.Contains(e, secret) {
				t.Errorf("%s holds a credential", kind)
			}
		}
	}
	if diff := cmp.Diff(kinds, []string{"tenant.created", "source.created", "source.rotated", "source.disabled", "tenant.disabled"}); diff != "" {
		t.Errorf("entries (-got +want):\n%s", diff)
	}
}

func TestAChangeThatCannotBeEnteredDoesNotHappen(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	s, key := w.source(c)
	w.fail = errors.New("no ledger")
	if _, _, err := w.SetSource(t.Context(), c, "acme", s.ID, true); !errors.Is(err, w.fail) {
		t.Fatalf("SetSource: %v, want the ledger's error", err)
	}
	if _, err := w.SourceByKey(key); err != nil {
		t.Errorf("the source was disabled all the same: %v", err)
	}
}

func TestAccountsOutliveTheProcess(t *testing.T) {
	w := newWorld(t)
	c, token := w.tenant("acme")
	s, key := w.source(c)
	w.tenant("other")
	again := w.open(w.db)
	got, err := again.SourceByKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*got, s); diff != "" {
		t.Errorf("source after a restart (-got +want):\n%s", diff)
	}
	if got, err := again.TenantByToken(token); err != nil || got.Tenant != c.Tenant {
		t.Errorf("token after a restart: %v, %v", got, err)
	}
}

func TestTenantIDs(t *testing.T) {
	w := newWorld(t)
	w.tenant("acme")
	for id, want := range map[string]string{"": "tenant.bad_id", "Acme": "tenant.bad_id", "a_b": "tenant.bad_id", "-a": "tenant.bad_id",
		strings.Repeat("a", 64): "tenant.bad_id", "acme": "tenant.exists", "a": "", "a-1": ""} {
		_, _, _, _, err := w.CreateTenant(t.Context(), tenant.Operator, id, "")
		if fault.ReasonOf(err) != want {
			t.Errorf("CreateTenant(%q): %v, want %q", id, err, want)
		}
	}
	_, _, _, err := w.CreateSource(t.Context(), tenant.Operator, "acme", tenant.NewSource{Adapter: "fax"})
	wantFault(t, err, fault.Invalid, "source.unknown_adapter")
}

func BenchmarkSourceByKey(b *testing.B) {
	db, err := sqlite.Open(b.Context(), b.TempDir(), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	w := &world{db: db, now: time.Now()}
	s, err := tenant.Open(b.Context(), db, sqlstore.Tenants{}, w, tenant.Options{Region: "ie1", Adapters: []string{"segment"}})
	if err != nil {
		b.Fatal(err)
	}
	if _, _, _, _, err := s.CreateTenant(b.Context(), tenant.Operator, "acme", ""); err != nil {
		b.Fatal(err)
	}
	_, key, _, err := s.CreateSource(b.Context(), tenant.Operator, "acme", tenant.NewSource{Adapter: "segment"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.SourceByKey(key); err != nil {
			b.Fatal(err)
		}
	}
}
