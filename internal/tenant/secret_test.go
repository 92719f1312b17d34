package tenant_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/tenant"
)

// someKeys gives keys as the vault does: another for each source.
type someKeys byte

func (k someKeys) SourceKey(tenantID, source string) *seal.Key {
	h := hmac.New(sha256.New, []byte{byte(k)})
	h.Write([]byte(tenantID + "/" + source))
	key, err := seal.NewKey(h.Sum(nil))
	if err != nil {
		panic(err)
	}
	return key
}

const (
	authToken  = "0123456789abcdef0123456789abcdef"
	authToken2 = "fedcba9876543210fedcba9876543210"
)

func (w *world) hooked(c *tenant.Caller, adapter string) (tenant.Source, string) {
	w.t.Helper()
	s, shown, _, err := w.CreateSource(w.t.Context(), c, c.TenantID, tenant.NewSource{Adapter: adapter, Account: "AC01", Secret: authToken})
	if err != nil {
		w.t.Fatal(err)
	}
	return s, shown
}

// secrets returns what holds for a source now.
func secrets(t *testing.T, s *tenant.Service, sid string) (all []string) {
	t.Helper()
	h, err := s.Hook(sid)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range h.Secrets {
		all = append(all, x.Secret)
	}
	return all
}

func TestSecretsAreStoredSealed(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	tw, shown := w.hooked(c, "twilio")
	wa, verify := w.hooked(c, "whatsapp")
	if shown != "" || !strings.HasPrefix(verify, "dwv_ie1_") || len(verify) < 50 {
		t.Errorf("shown %d characters for twilio, %d for whatsapp; want none and a verify token", len(shown), len(verify))
	}
	if tw.Account != "AC01" {
		t.Errorf("account %q", tw.Account)
	}
	if held(t, w.dir, authToken) || held(t, w.dir, verify) {
		t.Error("a secret is in the store in clear")
	}
	again := w.open(w.db)
	h, err := again.Hook(wa.ID)
	if err != nil || len(h.Secrets) != 1 || h.Secrets[0] != (tenant.Secrets{Secret: authToken, VerifyToken: verify}) || *h.Source != wa {
		t.Fatalf("after a restart: %v, want what was stored", err)
	}
	for _, f := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if s := fmt.Sprintf(f, h); strings.Contains(s, authToken) {
			t.Errorf("%s prints the secret", f)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "hook", h, "secrets", h.Secrets[0])
	if _, err := json.Marshal(h); err == nil || strings.Contains(log.String(), authToken) {
		t.Error("the secret can be logged or encoded")
	}
	for _, e := range w.entered {
		if strings.Contains(e, authToken) || strings.Contains(e, verify) {
			t.Error("an entry holds a secret")
		}
	}
}

func TestASecretIsRotatedWithGrace(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	s, _ := w.hooked(c, "twilio")
	rotate := func(secret string, grace time.Duration) error {
		_, shown, _, err := w.RotateSource(t.Context(), c, "acme", s.ID, secret, grace)
		if shown != "" {
			t.Error("a vendor's secret is shown")
		}
		return err
	}
	want := func(all ...string) {
		t.Helper()
		for name, v := range map[string]*tenant.Service{"this node": w.Service, "after a restart": w.open(w.db)} {
			if got := secrets(t, v, s.ID); fmt.Sprint(got) != fmt.Sprint(all) {
				t.Errorf("%s: %d secrets hold, want %d in order", name, len(got), len(all))
			}
		}
	}
	want(authToken)
	wantFault(t, rotate("", time.Hour), fault.Invalid, "source.secret_missing")
	if err := rotate(authToken2, time.Hour); err != nil {
		t.Fatal(err)
	}
	want(authToken2, authToken)
	w.now = w.now.Add(time.Hour)
	want(authToken2)
	if err := rotate(authToken, 0); err != nil {
		t.Fatal(err)
	}
	want(authToken)

	keyed, _ := w.source(c)
	_, _, _, err := w.RotateSource(t.Context(), c, "acme", keyed.ID, authToken, 0)
	wantFault(t, err, fault.Invalid, "source.secret_unwanted")
	if got := secrets(t, w.Service, keyed.ID); got != nil {
		t.Errorf("a source with a key has %d secrets", len(got))
	}
}

func TestSecretsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	for _, tt := range []struct {
		reason string
		new    tenant.NewSource
	}{
		{"source.secret_missing", tenant.NewSource{Adapter: "twilio"}},
		{"source.bad_secret", tenant.NewSource{Adapter: "twilio", Secret: "short"}},
		{"source.bad_secret", tenant.NewSource{Adapter: "twilio", Secret: authToken + " "}},
		{"source.bad_secret", tenant.NewSource{Adapter: "twilio", Secret: strings.Repeat("a", 1025)}},
		{"source.bad_trust", tenant.NewSource{Adapter: "twilio", Secret: authToken, Trust: "public"}},
		{"source.bad_account", tenant.NewSource{Adapter: "twilio", Secret: authToken, Account: "AC 1"}},
		{"source.secret_unwanted", tenant.NewSource{Adapter: "native", Secret: authToken}},
		{"source.bad_key", tenant.NewSource{Adapter: "segment", Secret: authToken}},
		{"source.bad_trust", tenant.NewSource{Adapter: "segment", Secret: authToken, Trust: "public"}},
	} {
		_, _, _, err := w.CreateSource(t.Context(), c, "acme", tt.new)
		wantFault(t, err, fault.Invalid, tt.reason)
		if tt.new.Secret != "" && err != nil && strings.Contains(err.Error(), tt.new.Secret) {
			t.Errorf("%s repeats the secret", tt.reason)
		}
	}
}

func TestHooksThatDoNotFit(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	s, _ := w.hooked(c, "twilio")
	for _, tt := range []struct {
		sid    string
		kind   fault.Kind
		reason string
	}{
		{"", fault.NotFound, "source.not_found"},
		{"src_ie1_", fault.NotFound, "source.not_found"},
		{"src_ie1_nobody", fault.NotFound, "source.not_found"},
		{"src_ie1_" + strings.Repeat("a", 1<<16), fault.NotFound, "source.not_found"},
		{strings.Replace(s.ID, "ie1", "us1", 1), fault.WrongRegion, "residency.wrong_region"},
		{strings.Replace(s.ID, "ie1", "xx9", 1), fault.NotFound, "source.not_found"},
	} {
		_, err := w.Hook(tt.sid)
		wantFault(t, err, tt.kind, tt.reason)
		if f, _ := fault.As(err); tt.kind == fault.WrongRegion && f.Extra["url"] != "https://us1.example.com" {
			t.Errorf("url %v, want that of us1", f.Extra["url"])
		}
	}
	if _, _, err := w.SetSource(t.Context(), c, "acme", s.ID, true); err != nil {
		t.Fatal(err)
	}
	_, err := w.Hook(s.ID)
	wantFault(t, err, fault.Forbidden, "source.disabled")
}

func TestASecretSetOnAnotherNodeHoldsAtOnce(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	db := &shared{DB: w.db}
	other := w.open(db)
	s, _ := w.hooked(c, "twilio")
	if got := secrets(t, other, s.ID); len(got) != 1 || got[0] != authToken {
		t.Errorf("%d secrets on the other node", len(got))
	}
	db.down = true
	_, err := other.Hook("src_ie1_nobody")
	wantFault(t, err, fault.Unavailable, "source.unchecked")
}

// Sealed secrets open for their own source under the region's key, and nowhere else.
func TestSecretsThatDoNotOpenAreNoReasonToTrustAnyone(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	a, _ := w.hooked(c, "twilio")
	b, _ := w.hooked(c, "twilio")
	var log bytes.Buffer
	w.log = slog.New(slog.NewTextHandler(&log, nil))
	unreadable := func(what string, s *tenant.Service) {
		t.Helper()
		_, err := s.Hook(b.ID)
		if fault.ReasonOf(err) != "source.secrets_unreadable" || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v, want source.secrets_unreadable", what, err)
		}
	}
	w.keys = someKeys(8)
	unreadable("another key", w.open(w.db))
	w.keys = someKeys(7)
	if err := w.db.Do(t.Context(), func(tx store.Tx) error {
		_, err := tx.(sqlstore.Conn).Exec(`UPDATE source SET sealed = (SELECT sealed FROM source WHERE tenant = 1 AND id = $1) WHERE tenant = 1 AND id = $2`, a.ID, b.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	other := w.open(w.db)
	unreadable("another source's secrets", other)
	if got := secrets(t, other, a.ID); len(got) != 1 {
		t.Error("one source's trouble is another's")
	}
	if !strings.Contains(log.String(), b.ID) || strings.Contains(log.String(), authToken) {
		t.Error("the log has to name the source, and no secret")
	}
}

// Whoever follows the hint and rotates, with grace, has a source that works again at once.
func TestARotationMendsSecretsThatDoNotOpen(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	a, _ := w.hooked(c, "twilio")
	b, _ := w.hooked(c, "twilio")
	if err := w.db.Do(t.Context(), func(tx store.Tx) error {
		_, err := tx.(sqlstore.Conn).Exec(`UPDATE source SET sealed = (SELECT sealed FROM source WHERE tenant = 1 AND id = $1) WHERE tenant = 1 AND id = $2`, a.ID, b.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	s := w.open(w.db)
	_, err := s.Hook(b.ID)
	wantFault(t, err, fault.Unavailable, "source.secrets_unreadable")
	if _, _, _, err := s.RotateSource(t.Context(), c, "acme", b.ID, authToken2, time.Hour); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]*tenant.Service{"this node": s, "after a restart": w.open(w.db)} {
		if got := secrets(t, v, b.ID); len(got) != 1 || got[0] != authToken2 {
			t.Errorf("%s: %d secrets hold, want the new one", name, len(got))
		}
	}
}
