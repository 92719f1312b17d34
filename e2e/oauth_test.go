package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
)

// application is a source with OAuth and the private key of its client.
type application struct{ id, writeKey, private string }

// newApplication makes one with the command line, which gets the public key on stdin.
func newApplication(t *testing.T, r *region) (a application, public string) {
	t.Helper()
	a.private, public = rsaPair(t)
	out, errs, code := r.w.run(public, "source", "create", "--adapter", "segment", "--oauth", "--tenant", r.Tenant, "--json")
	if code != 0 {
		t.Fatalf("source create: %d %s", code, errs)
	}
	var made struct {
		Source struct {
			ID    string
			OAuth bool
		}
		WriteKey string `json:"write_key"`
	}
	answer{body: []byte(out)}.into(t, &made)
	if a.id, a.writeKey = made.Source.ID, made.WriteKey; !made.Source.OAuth || a.writeKey == "" {
		t.Fatalf("source create prints %s", out)
	}
	return a, public
}

func rsaPair(t *testing.T) (private, public string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
}

type oauthRun struct{ Sent, Failures, Requests []string }

// send runs the SDK as the application's client.
func (a application) send(t *testing.T, authServer, host, person string) (got oauthRun) {
	t.Helper()
	node(t, &got, "segment-oauth.mjs", "AUTH_SERVER="+authServer, "HOST="+host, "WRITE_KEY="+a.writeKey, "CLIENT_ID="+a.id, "PRIVATE_KEY="+a.private, "PERSON="+person)
	return got
}

// delivered wants both events to be there, under tokens alone.
func (a application) delivered(t *testing.T, r *region, got oauthRun) {
	t.Helper()
	if len(got.Failures) > 0 || len(got.Sent) != 2 || slices.Contains(got.Requests, "Basic") {
		t.Errorf("%+v", got)
	}
	for _, id := range got.Sent {
		if n := len(r.byClientID(t, id)); n != 1 {
			t.Errorf("%d records of what the SDK delivered, want 1", n)
		}
	}
}

// TestSegmentOAuth: analytics-node with oauthSettings works unmodified; neither its write key nor
// another key brings anything; and a token got at one node is good at another.
func TestSegmentOAuth(t *testing.T) {
	c := newCanaries()
	check := func(t *testing.T, a, b *region) {
		app, public := newApplication(t, a)
		app.delivered(t, a, app.send(t, a.URL, b.URL, c.text("person")))
		t.Run("the write key alone", func(t *testing.T) {
			_, failures, ok := sdk(t, "segment-node.mjs", a.URL, app.writeKey, c.text("person"))
			if ok || !strings.Contains(strings.Join(failures, " "), "401") {
				t.Errorf("failures %q, want 401", failures)
			}
			ans := b.send(t, "POST", "/v1/track", nil, encode(t, m{"userId": "u", "event": "e", "writeKey": app.writeKey})).want(t, 401)
			if !strings.Contains(string(ans.body), "oauth.token_missing") {
				t.Errorf("%v", ans)
			}
		})
		t.Run("another private key", func(t *testing.T) {
			thief := app
			thief.private, _ = rsaPair(t)
			if got := thief.send(t, a.URL, b.URL, c.text("person")); len(got.Failures) == 0 || len(got.Requests) != 0 {
				t.Errorf("%+v, want a failure and no batch", got)
			}
		})
		t.Run("the token ends while the SDK has it", func(t *testing.T) {
			r := newRoad(t, b, trouble{status: 511})
			app.delivered(t, b, app.send(t, a.URL, r.URL, c.text("person")))
		})
		t.Run("the key is rotated", func(t *testing.T) {
			next := app
			private, newPublic := rsaPair(t)
			if _, errs, code := a.w.run(newPublic, "source", "rotate", app.id, "--stdin", "--tenant", a.Tenant); code != 0 {
				t.Fatalf("source rotate: %d %s", code, errs)
			}
			next.private = private
			next.delivered(t, b, next.send(t, b.URL, a.URL, c.text("person")))
			if got := app.send(t, a.URL, b.URL, c.text("person")); len(got.Failures) == 0 {
				t.Errorf("the old key: %+v", got)
			}
			if _, errs, code := a.w.run(public, "source", "rotate", app.id, "--stdin", "--tenant", a.Tenant, "--grace", "1h"); code != 0 {
				t.Fatalf("source rotate: %d %s", code, errs)
			}
			app.delivered(t, a, app.send(t, a.URL, b.URL, c.text("person")))
			next.delivered(t, a, next.send(t, b.URL, b.URL, c.text("person")))
		})
	}
	t.Run("sqlite", func(t *testing.T) {
		w := newWorld(t, "sqlite")
		ie1, us1 := w.region("ie1"), w.region("us1")
		w.cli = []string{"DOMICILE_URL=" + ie1.URL, "DOMICILE_TOKEN=" + ie1.APIToken}
		check(t, ie1, ie1)
		app, _ := newApplication(t, ie1)
		if got := app.send(t, us1.URL, ie1.URL, c.text("person")); len(got.Failures) == 0 {
			t.Errorf("a token of another region: %+v", got)
		}
		if got := app.send(t, ie1.URL, us1.URL, c.text("person")); !strings.Contains(strings.Join(got.Failures, " "), "421") {
			t.Errorf("events to another region: %+v", got)
		}
		if n := accepted(t, us1); n != 0 {
			t.Errorf("us1 accepted %d", n)
		}
	})
	t.Run("two nodes on postgres", func(t *testing.T) {
		a, b := twoNodes(t)
		check(t, a, b)
	})
}
