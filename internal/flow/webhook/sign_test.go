package webhook_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/flow/flowtest"
	"domicile.dev/internal/flow/webhook"
)

func bytesReader(b []byte) io.Reader { return bytes.NewReader(b) }

// verify is a recipient's check, written from the specification and not from sign.
func verify(secret string, h http.Header, body []byte, now time.Time) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	at, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil || now.Sub(time.Unix(at, 0)).Abs() > 5*time.Minute {
		return fmt.Errorf("the timestamp %q is too far away", h.Get("webhook-timestamp"))
	}
	m := hmac.New(sha256.New, key)
	fmt.Fprintf(m, "%s.%d.%s", h.Get("webhook-id"), at, body)
	for _, s := range strings.Split(h.Get("webhook-signature"), " ") {
		version, mac, _ := strings.Cut(s, ",")
		if given, err := base64.StdEncoding.DecodeString(mac); err == nil && version == "v1" && hmac.Equal(given, m.Sum(nil)) {
			return nil
		}
	}
	return errors.New("no signature fits")
}

// capture returns what a recipient gets, head and body.
func capture(t *testing.T, secrets string, gzip bool) (http.Header, []byte) {
	var head http.Header
	var body []byte
	s := flowtest.NewServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		head = r.Header
		body, _ = io.ReadAll(r.Body)
	}), nil)
	c, err := webhook.Open(t.Context(), s.URL, secrets, webhook.Options{Gzip: gzip})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	d, _ := flowtest.Delivery("f", 1, 3)
	if err := c.Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return head, body
}

// While a secret is changed, who knows either of the two can verify; nobody else can.
func TestTwoSecretsAreTwoSignatures(t *testing.T) {
	fresh, old, other := webhook.NewSecret(), webhook.NewSecret(), webhook.NewSecret()
	head, body := capture(t, fresh+" "+old, false)
	for name, tt := range map[string]struct {
		secret string
		good   bool
	}{"new": {fresh, true}, "old": {old, true}, "another": {other, false}} {
		if err := verify(tt.secret, head, body, time.Now()); (err == nil) != tt.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(strings.Fields(head.Get("webhook-signature"))); n != 2 {
		t.Errorf("%d signatures, want 2", n)
	}
	if err := verify(fresh, head, append(body, '\n'), time.Now()); err == nil {
		t.Error("another body verifies, too")
	}
}

// The published library of the scheme agrees: it takes what is signed, and refuses what was altered.
func TestThePublishedLibraryVerifies(t *testing.T) {
	const web = "../../../web"
	if _, err := os.Stat(web + "/node_modules/standardwebhooks"); err != nil {
		t.Skip("scripts/setup node installs the library")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no Node here")
	}
	const script = `
const { Webhook } = require("standardwebhooks");
for (const c of JSON.parse(require("fs").readFileSync(0, "utf8"))) {
  let out = "good";
  try { new Webhook(c.secret).verify(Buffer.from(c.body, "base64").toString(c.encoding), c.headers); }
  catch (e) { out = e.constructor.name === "WebhookVerificationError" || e instanceof SyntaxError ? e.constructor.name : String(e); }
  console.log(out);
}`
	fresh, old, other := webhook.NewSecret(), webhook.NewSecret(), webhook.NewSecret()
	head, body := capture(t, fresh+"\n"+old, false)
	type check struct {
		Secret   string            `json:"secret"`
		Body     []byte            `json:"body"`
		Encoding string            `json:"encoding"`
		Headers  map[string]string `json:"headers"`
	}
	with := func(secret string, body []byte, name, value string) check {
		c := check{Secret: secret, Body: body, Encoding: "utf8", Headers: map[string]string{}}
		for _, n := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			c.Headers[n] = head.Get(n)
		}
		if name != "" {
			c.Headers[name] = value
		}
		return c
	}
	const bad = "WebhookVerificationError"
	// The library hands verified bodies to JSON.parse, where lines of JSON are one value too many: they
	// were verified then. It takes the text of one line alone.
	const verified = "SyntaxError"
	cases := []check{with(fresh, body, "", ""), with(old, body, "", ""), with(other, body, "", ""), with(fresh, append(bytes.Clone(body), ' '), "", ""),
		with(fresh, body, "webhook-id", "dlv_f2"), with(fresh, body, "webhook-timestamp", strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10))}
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "-e", script)
	cmd.Dir, cmd.Stdin, cmd.Stderr = web, bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Fields(string(out)), []string{verified, verified, bad, bad, bad, bad}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the library says %v, want %v", got, want)
	}
}

// FuzzParseSecrets: what is no secret gives no key, and what is one gives keys of the scheme's size.
func FuzzParseSecrets(f *testing.F) {
	f.Add(webhook.NewSecret())
	f.Add(webhook.NewSecret() + "\n" + webhook.NewSecret())
	f.Add("whsec_")
	f.Add("whsec_AAAA whsec_")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := webhook.ParseSecrets(text)
		if err != nil {
			if keys != nil {
				t.Fatal("a bad secret gives a key")
			}
			return
		}
		if len(keys) < 1 || len(keys) > 2 {
			t.Fatalf("%d keys", len(keys))
		}
		for _, k := range keys {
			if len(k) < 24 || len(k) > 64 {
				t.Fatalf("a key of %d bytes", len(k))
			}
		}
	})
}
