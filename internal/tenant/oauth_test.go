package tenant_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/tenant"
)

const here = "https://ie1.example.com"

// pairs are RSA keys, made once.
var pairs = sync.OnceValue(func() (all [2]*rsa.PrivateKey) {
	for i := range all {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		all[i] = key
	}
	return all
})

func publicPEM(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

type claims = map[string]any

// assert makes an assertion as Segment's SDKs do, with other claims where more has them; nil leaves
// one out.
func assert(t testing.TB, key *rsa.PrivateKey, sid string, now time.Time, more claims) string {
	t.Helper()
	all := claims{"iss": sid, "sub": sid, "aud": here, "iat": now.Unix() - 5, "exp": now.Unix() + 55, "jti": "1"}
	for k, v := range more {
		if all[k] = v; v == nil {
			delete(all, k)
		}
	}
	return sign(t, key, `{"alg":"RS256","kid":"any","typ":"JWT"}`, all)
}

func sign(t testing.TB, key *rsa.PrivateKey, header string, all claims) string {
	t.Helper()
	body, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// application makes a source with OAuth.
func (w *world) application(c *tenant.Caller, key *rsa.PrivateKey) (s tenant.Source, writeKey string) {
	w.t.Helper()
	s, writeKey, _, err := w.CreateSource(w.t.Context(), c, c.TenantID, tenant.NewSource{Adapter: "segment", Secret: publicPEM(w.t, &key.PublicKey)})
	if err != nil || !s.OAuth || writeKey == "" {
		w.t.Fatal(err, s.OAuth)
	}
	return s, writeKey
}

func TestAnAssertionGetsATokenForAnHour(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	key := pairs()[0]
	s, writeKey := w.application(c, key)
	other := w.open(w.db) // another node, or this one after a restart
	token, err := w.AccessToken(assert(t, key, s.ID, w.now, nil), here)
	if err != nil || !strings.HasPrefix(token, "dat_ie1_") || !tenant.IsAccessToken(token) {
		t.Fatalf("%v", err)
	}
	for name, v := range map[string]*tenant.Service{"this node": w.Service, "another": other} {
		src, err := v.SourceByAccessToken(token)
		if err != nil || src.ID != s.ID || !src.OAuth || !v.HasKey(src, writeKey) || v.HasKey(src, writeKey+"x") || v.HasKey(src, "") {
			t.Errorf("%s: %v", name, err)
		}
		_, err = v.SourceByKey(writeKey)
		wantFault(t, err, fault.Unauthenticated, "oauth.token_missing")
	}
	w.now = w.now.Add(tenant.TokenLifetime - time.Second)
	if _, err := w.SourceByAccessToken(token); err != nil {
		t.Errorf("in its last second: %v", err)
	}
	w.now = w.now.Add(time.Second)
	_, err = w.SourceByAccessToken(token)
	wantFault(t, err, fault.Unauthenticated, tenant.ReasonTokenEnded)
	if held(t, w.dir, token) || held(t, w.dir, writeKey) {
		t.Error("the store holds a token or a key in clear")
	}
	if all, err := w.Sources(c, "acme"); err != nil || len(all) != 1 || !all[0].OAuth {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestAssertionsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	key, stranger := pairs()[0], pairs()[1]
	s, _ := w.application(c, key)
	plain, _ := w.source(c)
	at := func(d time.Duration) any { return float64(w.now.Add(d).UnixMilli())/1000 + 0.123 }
	good := assert(t, key, s.ID, w.now, nil)
	parts := strings.Split(good, ".")
	for name, ok := range map[string]string{
		"as the SDK makes it":    good,
		"fractions of a second":  assert(t, key, s.ID, w.now, claims{"exp": at(55 * time.Second), "iat": at(-5 * time.Second)}),
		"the endpoint":           assert(t, key, s.ID, w.now, claims{"aud": here + "/token"}),
		"a slash":                assert(t, key, s.ID, w.now, claims{"aud": here + "/"}),
		"among others":           assert(t, key, s.ID, w.now, claims{"aud": []string{"x", here}}),
		"a clock a little off":   assert(t, key, s.ID, w.now, claims{"exp": at(-50 * time.Second), "iat": at(50 * time.Second)}),
		"no time of its issuing": assert(t, key, s.ID, w.now, claims{"iat": nil}),
	} {
		if _, err := w.AccessToken(ok, here); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, bad := range map[string]string{
		"nothing":                 "",
		"no JWT":                  "a.b",
		"four parts":              good + ".x",
		"padding":                 good + "=",
		"too long":                strings.Repeat("a", 9000),
		"a stranger's signature":  assert(t, stranger, s.ID, w.now, nil),
		"no signature":            parts[0] + "." + parts[1] + ".",
		"another's claims":        parts[0] + "." + strings.Split(assert(t, key, s.ID, w.now, claims{"jti": "2"}), ".")[1] + "." + parts[2],
		"alg none":                sign(t, key, `{"alg":"none"}`, claims{"iss": s.ID, "sub": s.ID}),
		"alg HS256":               sign(t, key, `{"alg":"HS256"}`, claims{"iss": s.ID, "sub": s.ID}),
		"something critical":      sign(t, key, `{"alg":"RS256","crit":["b64"]}`, claims{"iss": s.ID, "sub": s.ID, "aud": here, "exp": w.now.Unix() + 9}),
		"a source that isn't":     assert(t, key, "src_ie1_nobody", w.now, nil),
		"no source":               assert(t, key, "", w.now, nil),
		"a source without OAuth":  assert(t, key, plain.ID, w.now, nil),
		"iss is another":          assert(t, key, s.ID, w.now, claims{"iss": "x"}),
		"for somebody else":       assert(t, key, s.ID, w.now, claims{"aud": "https://us1.example.com"}),
		"for something below":     assert(t, key, s.ID, w.now, claims{"aud": here + "/token/token"}),
		"for nobody":              assert(t, key, s.ID, w.now, claims{"aud": nil}),
		"for a number":            assert(t, key, s.ID, w.now, claims{"aud": 7}),
		"no end":                  assert(t, key, s.ID, w.now, claims{"exp": nil}),
		"ended":                   assert(t, key, s.ID, w.now, claims{"exp": at(-61 * time.Second)}),
		"good for a day":          assert(t, key, s.ID, w.now, claims{"exp": at(24 * time.Hour)}),
		"good for ever":           assert(t, key, s.ID, w.now, claims{"exp": 1e300}),
		"made tomorrow":           assert(t, key, s.ID, w.now, claims{"iat": at(24 * time.Hour)}),
		"not yet":                 assert(t, key, s.ID, w.now, claims{"nbf": at(2 * time.Minute)}),
		"times that are no times": assert(t, key, s.ID, w.now, claims{"exp": "soon"}),
	} {
		_, err := w.AccessToken(bad, here)
		if fault.KindOf(err) != fault.Unauthenticated || fault.ReasonOf(err) != "oauth.bad_assertion" {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := w.AccessToken(assert(t, key, "src_us1_x", w.now, nil), here)
	wantFault(t, err, fault.WrongRegion, "residency.wrong_region")
}

func TestTokensThatAreRefused(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	key := pairs()[0]
	s, _ := w.application(c, key)
	second, _ := w.application(c, key)
	token, err := w.AccessToken(assert(t, key, s.ID, w.now, nil), here)
	if err != nil {
		t.Fatal(err)
	}
	sealed := token[strings.IndexByte(token, '.'):]
	of := func(sid string) string { return "dat_" + strings.TrimPrefix(sid, "src_") }
	for bad, reason := range map[string]string{
		"":                                 "credential.unknown",
		of(s.ID):                           "credential.unknown",
		of(s.ID) + ".":                     tenant.ReasonTokenEnded,
		of(s.ID) + ".****":                 "credential.unknown",
		token + "A":                        "credential.unknown", // no whole byte
		token + "AAAA":                     tenant.ReasonTokenEnded,
		of(second.ID) + sealed:             tenant.ReasonTokenEnded,
		"dat_ie1_nobody" + sealed:          "credential.unknown",
		"dat_us1_" + "x" + sealed:          "residency.wrong_region",
		"dwk_" + token[4:]:                 "credential.unknown",
		token + strings.Repeat("AAAA", 50): "credential.unknown",
	} {
		if _, err := w.SourceByAccessToken(bad); fault.ReasonOf(err) != reason {
			t.Errorf("%.30s…: %v, want %s", bad, err, reason)
		}
	}
	if _, _, err := w.SetSource(t.Context(), c, "acme", s.ID, true); err != nil {
		t.Fatal(err)
	}
	_, err = w.SourceByAccessToken(token)
	wantFault(t, err, fault.Forbidden, "source.disabled")
}

func TestAnOAuthKeyIsRotatedWithGrace(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	first, next := pairs()[0], pairs()[1]
	s, writeKey := w.application(c, first)
	token, err := w.AccessToken(assert(t, first, s.ID, w.now, nil), here)
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, err = w.RotateSource(t.Context(), c, "acme", s.ID, "", 0)
	wantFault(t, err, fault.Invalid, "source.secret_missing")
	got, shown, _, err := w.RotateSource(t.Context(), c, "acme", s.ID, publicPEM(t, &next.PublicKey), 10*time.Minute)
	if err != nil || shown != "" || !got.OAuth {
		t.Fatal(err, shown, got)
	}
	newer, err := w.AccessToken(assert(t, next, s.ID, w.now, nil), here)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.AccessToken(assert(t, first, s.ID, w.now, nil), here); err != nil {
		t.Errorf("within the grace: %v", err)
	}
	src, err := w.SourceByAccessToken(token)
	if err != nil || !w.HasKey(src, writeKey) {
		t.Errorf("within the grace: %v", err)
	}
	w.now = w.now.Add(10 * time.Minute)
	_, err = w.AccessToken(assert(t, first, s.ID, w.now, nil), here)
	wantFault(t, err, fault.Unauthenticated, "oauth.bad_assertion")
	_, err = w.SourceByAccessToken(token)
	wantFault(t, err, fault.Unauthenticated, tenant.ReasonTokenEnded)
	if src, err := w.SourceByAccessToken(newer); err != nil || !w.HasKey(src, writeKey) {
		t.Errorf("the new key's: %v", err)
	}
	plain, _ := w.source(c)
	_, _, _, err = w.RotateSource(t.Context(), c, "acme", plain.ID, publicPEM(t, &next.PublicKey), 0)
	wantFault(t, err, fault.Invalid, "source.secret_unwanted")
}

func TestAnOAuthKeySetOnAnotherNodeHoldsAtOnce(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	first, next := pairs()[0], pairs()[1]
	s, _ := w.application(c, first)
	db := &shared{DB: w.db}
	other := w.open(db)
	if _, _, _, err := w.RotateSource(t.Context(), c, "acme", s.ID, publicPEM(t, &next.PublicKey), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := other.AccessToken(assert(t, next, s.ID, w.now, nil), here); err != nil {
		t.Errorf("the key of a moment ago: %v", err)
	}
	_, err := other.AccessToken(assert(t, first, s.ID, w.now, nil), here)
	wantFault(t, err, fault.Unauthenticated, "oauth.bad_assertion")
	db.down = true
	_, err = other.AccessToken(assert(t, first, s.ID, w.now, nil), here)
	wantFault(t, err, fault.Unavailable, "source.unchecked") // not 401, after which SDKs give up
	if _, err := other.AccessToken(assert(t, next, s.ID, w.now, nil), here); err != nil {
		t.Errorf("a known key while the store is down: %v", err)
	}
}

func TestOAuthKeysThatAreRefused(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	key := pairs()[0]
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	good := publicPEM(t, &key.PublicKey)
	for name, bad := range map[string]string{
		"a private key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		"too short":     publicPEM(t, &short.PublicKey),
		"a curve":       publicPEM(t, &curve.PublicKey),
		"two":           good + good,
		"no PEM":        "-----BEGIN PUBLIC KEY-----",
		"no base64":     "****************",
	} {
		_, _, _, err := w.CreateSource(t.Context(), c, "acme", tenant.NewSource{Adapter: "segment", Secret: bad})
		if fault.ReasonOf(err) != "source.bad_key" || strings.Contains(fmt.Sprint(err), "MII") {
			t.Errorf("%s: %v", name, err)
		}
	}
	bare := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(good, "-----BEGIN PUBLIC KEY-----\n"), "-----END PUBLIC KEY-----\n"), "\n", "")
	for name, ok := range map[string]string{"the base64 alone": bare, "with line ends of Windows": strings.ReplaceAll(good, "\n", "\r\n"), "as it is": good} {
		if _, _, _, err := w.CreateSource(t.Context(), c, "acme", tenant.NewSource{Adapter: "segment", Secret: ok}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzAccessToken: no text that isn't signed with the source's key gets a token, and none is one.
func FuzzAccessToken(f *testing.F) {
	w := newWorld(f)
	c, _ := w.tenant("acme")
	key := pairs()[0]
	s, _ := w.application(c, key)
	good := assert(f, key, s.ID, w.now, nil)
	token, err := w.AccessToken(good, here)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(token)
	f.Add(assert(f, pairs()[1], s.ID, w.now, nil))
	f.Add(assert(f, key, s.ID, w.now, claims{"aud": []any{1}}))
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := w.AccessToken(text, here); err == nil && text != good {
			t.Errorf("%q gets a token", text)
		}
		if _, err := w.SourceByAccessToken(text); err == nil && text != token {
			t.Errorf("%q is a token", text)
		}
	})
}
