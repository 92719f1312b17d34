package app_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/app"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/tenant"
)

func TestUpMakesASourceForEachVendorAndKeepsIt(t *testing.T) {
	dir := t.TempDir()
	up, stop := startUp(t, dir)
	first := up.File
	for i, r := range first.Regions {
		for name, s := range r.Sources {
			if src, err := up.Nodes[i].Tenants.Sources(tenant.Operator, "acme"); err != nil || len(src) != len(r.Sources) {
				t.Errorf("%s: %d sources, %v", r.ID, len(src), err)
			}
			if !strings.HasPrefix(s.ID, "src_"+r.ID+"_") {
				t.Errorf("%s/%s has the id %q", r.ID, name, s.ID)
			}
			if hook := slices.Contains([]string{"twilio", "sendgrid", "whatsapp"}, name); hook != (s.URL == r.URL+"/"+name+"/"+s.ID) {
				t.Errorf("%s/%s has the url %q", r.ID, name, s.URL)
			}
		}
		tw, sg, wa := r.Sources["twilio"], r.Sources["sendgrid"], r.Sources["whatsapp"]
		if len(tw.AuthToken) != 32 || !strings.HasPrefix(tw.AccountSID, "AC") || len(tw.AccountSID) != 34 {
			t.Errorf("%s: twilio lacks its account or token", r.ID)
		}
		if r.Sources["rudderstack"].WriteKey == "" || len(wa.AppSecret) != 32 || wa.VerifyToken == "" {
			t.Errorf("%s: rudderstack or whatsapp lacks its secrets", r.ID)
		}
		der, err := base64.StdEncoding.DecodeString(sg.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x509.ParsePKCS8PrivateKey(der); err != nil {
			t.Errorf("%s: sendgrid's private key: %v", r.ID, err)
		}
		h, err := up.Nodes[i].Tenants.Hook(wa.ID)
		if err != nil || h.Secrets[0].VerifyToken != wa.VerifyToken || h.Source.Service != "messaging" {
			t.Errorf("%s: the whatsapp source: %v", r.ID, err)
		}
	}
	stop()

	up, stop = startUp(t, dir)
	for i, r := range up.File.Regions {
		for name, s := range r.Sources {
			was := first.Regions[i].Sources[name]
			was.URL, s.URL = "", "" // another port
			if s != was {
				t.Errorf("%s/%s has new credentials after a restart", r.ID, name)
			}
		}
	}
	stop()

	// As the version before this left it: other sources only.
	path := filepath.Join(dir, "up.json")
	f := first
	for i := range f.Regions {
		old := map[string]app.UpSource{}
		for _, name := range []string{"segment", "browser", "native"} {
			old[name] = f.Regions[i].Sources[name]
		}
		f.Regions[i].Sources = old
	}
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	up, stop = startUp(t, dir)
	defer stop()
	for i, r := range up.File.Regions {
		if r.Sources["segment"] != f.Regions[i].Sources["segment"] || len(r.Sources) != 7 {
			t.Errorf("%s: %d sources, or segment has a new key", r.ID, len(r.Sources))
		}
		h, err := up.Nodes[i].Tenants.Hook(r.Sources["twilio"].ID)
		if err != nil || h.Secrets[0].Secret != r.Sources["twilio"].AuthToken {
			t.Errorf("%s: the token in up.json is not the source's: %v", r.ID, err)
		}
	}
}

// fixture is a captured exchange.
type fixture struct {
	Request struct {
		Headers map[string]string
		Body    struct {
			Form map[string]string
			Raw  string
		}
	}
}

func sign(token, target string, form map[string]string) string {
	var names []string
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	m := hmac.New(sha1.New, []byte(token))
	m.Write([]byte(target))
	for _, name := range names {
		m.Write([]byte(name + form[name]))
	}
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

func post(t *testing.T, target, body string, headers map[string]string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b
}

func TestATwilioMessageComesInAndIsReadBack(t *testing.T) {
	b, err := os.ReadFile("../ingest/twilio/testdata/sms-inbound.json")
	if err != nil {
		t.Fatal(err)
	}
	var f fixture
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	up, stop := startUp(t, t.TempDir())
	defer stop()
	r := up.File.Regions[0]
	tw := r.Sources["twilio"]
	form, body := f.Request.Body.Form, f.Request.Body.Raw
	target := tw.URL + "/sms?tenant=eu&q=a%20b"
	send := func(target, signature string) (int, []byte) {
		return post(t, target, body, map[string]string{"Content-Type": f.Request.Headers["content-type"], "X-Twilio-Signature": signature})
	}
	status, answer := send(target, sign(tw.AuthToken, target, form))
	if status != 200 || !bytes.Contains(answer, []byte("<Response/>")) {
		t.Fatalf("%d %s, want empty TwiML", status, answer)
	}
	if status, _ := send(target, sign(tw.AuthToken, target, form)); status != 200 { // a retry
		t.Errorf("a retry: %d", status)
	}
	if status, answer := send(target, sign(up.File.Regions[1].Sources["twilio"].AuthToken, target, form)); status != 403 || bytes.Contains(answer, []byte(form["From"])) {
		t.Errorf("another region's token: %d %s", status, answer)
	}
	elsewhere := strings.Replace(target, r.URL, up.File.Regions[1].URL, 1)
	status, answer = send(elsewhere, sign(tw.AuthToken, elsewhere, form))
	if status != 421 || !bytes.Contains(answer, []byte(r.URL)) {
		t.Errorf("in another region: %d %s, want 421 with %s", status, answer, r.URL)
	}

	auth := map[string]string{"Authorization": "Bearer " + r.APIToken}
	status, answer = post(t, r.URL+"/api/v1/subjects:find", `{"identifiers":[{"type":"phone","value":"`+form["From"]+`"}]}`, auth)
	var found struct{ Subject string }
	if json.Unmarshal(answer, &found) != nil || status != 200 {
		t.Fatalf("find: %d %s", status, answer)
	}
	get := func(path string, into any) {
		t.Helper()
		req, _ := http.NewRequest(http.MethodGet, r.URL+path, nil)
		req.Header.Set("Authorization", "Bearer "+r.APIToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %d, %v", path, resp.StatusCode, err)
		}
	}
	var records struct {
		Records []struct {
			Kind, Service string
			ClientID      string `json:"client_id"`
			Data          map[string]any
		}
	}
	for _, path := range []string{"/api/v1/subjects/" + found.Subject + "/records", "/api/v1/records/by-client-id/" + url.PathEscape(form["MessageSid"])} {
		get(path, &records)
		if len(records.Records) != 1 {
			t.Fatalf("%s: %d records, want one though it came twice", path, len(records.Records))
		}
		x := records.Records[0]
		if x.Kind != "message" || x.Service != "messaging" || x.ClientID != form["MessageSid"] || x.Data["Body"] != form["Body"] || x.Data["From"] != form["From"] {
			t.Errorf("%s: the record is not what was sent", path)
		}
	}
	var stats struct {
		Counts []struct {
			Kind, Outcome string
			Count         int
		}
	}
	get("/api/v1/stats", &stats)
	outcomes := map[string]int{}
	for _, c := range stats.Counts {
		outcomes[c.Kind+" "+c.Outcome] += c.Count
	}
	if outcomes["message accepted"] != 1 || outcomes["message duplicate"] != 1 {
		t.Errorf("counts %v, want one accepted and one duplicate", outcomes)
	}
}

// A vendor's secret works after the node was closed and opened again, and is in none of its files.
func TestAVendorsSecretIsSealedAtRest(t *testing.T) {
	dir := t.TempDir()
	n, err := open(t, node(dir))
	if err != nil {
		t.Fatal(err)
	}
	const secret = "kanarienvogel0123456789abcdef012"
	if _, _, _, _, err := n.Tenants.CreateTenant(t.Context(), tenant.Operator, "acme", ""); err != nil {
		t.Fatal(err)
	}
	s, _, _, err := n.Tenants.CreateSource(t.Context(), tenant.Operator, "acme", tenant.NewSource{Adapter: "twilio", Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	seen := false
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		seen = seen || bytes.Contains(b, []byte(s.ID))
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("%s holds the secret", filepath.Base(path))
		}
		return err
	})
	if err != nil || !seen {
		t.Errorf("the source's id is in no file: %v", err)
	}
	n, err = open(t, node(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	h, err := n.Tenants.Hook(s.ID)
	if err != nil || len(h.Secrets) != 1 || h.Secrets[0].Secret != secret {
		t.Errorf("after a restart: %v", err)
	}
}

func TestSendGridAndWhatsAppComeIn(t *testing.T) {
	up, stop := startUp(t, t.TempDir())
	defer stop()
	r := up.File.Regions[0]
	sg, wa := r.Sources["sendgrid"], r.Sources["whatsapp"]
	byClientID := func(id string) (n int) {
		req, _ := http.NewRequest(http.MethodGet, r.URL+"/api/v1/records/by-client-id/"+id, nil)
		req.Header.Set("Authorization", "Bearer "+r.APIToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var all struct{ Records []json.RawMessage }
		_ = json.NewDecoder(resp.Body).Decode(&all)
		return len(all.Records)
	}

	der, err := base64.StdEncoding.DecodeString(sg.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	events := `[{"email":"aoife.synthetic@example.com","timestamp":1767607200,"event":"delivered","sg_event_id":"sg-e2e-1"},{"event":7}]` + "\r\n"
	at := strconv.FormatInt(time.Now().Unix(), 10)
	sum := sha256.Sum256([]byte(at + events))
	sig, err := ecdsa.SignASN1(rand.Reader, key.(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{"X-Twilio-Email-Event-Webhook-Timestamp": at, "X-Twilio-Email-Event-Webhook-Signature": base64.StdEncoding.EncodeToString(sig)}
	for range 2 { // a bad event among good ones costs itself alone, and a retry is the same record
		if status, answer := post(t, sg.URL, events, headers); status != 200 || byClientID("sg-e2e-1") != 1 {
			t.Errorf("sendgrid: %d %s, %d records", status, answer, byClientID("sg-e2e-1"))
		}
	}
	if status, _ := post(t, sg.URL, strings.TrimSpace(events), headers); status != 403 {
		t.Errorf("sendgrid without the body's last line end: %d, want 403", status)
	}

	message := `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",
		"metadata":{"display_phone_number":"447700900001","phone_number_id":"2"},"contacts":[{"wa_id":"447700900101","user_id":"IE.1"}],
		"messages":[{"from":"447700900101","id":"wamid.e2e1","timestamp":"1767607200","type":"text","text":{"body":"Hello"}}]}}]}]}`
	hub := func(secret string) map[string]string {
		m := hmac.New(sha256.New, []byte(secret))
		m.Write([]byte(message))
		return map[string]string{"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(m.Sum(nil))}
	}
	if status, answer := post(t, wa.URL, message, hub(wa.AppSecret)); status != 200 || byClientID("wamid.e2e1") != 1 {
		t.Errorf("whatsapp: %d %s, %d records", status, answer, byClientID("wamid.e2e1"))
	}
	if status, _ := post(t, wa.URL, message, hub(up.File.Regions[1].Sources["whatsapp"].AppSecret)); status != 403 {
		t.Errorf("whatsapp under another region's secret: %d, want 403", status)
	}
	resp, err := http.Get(wa.URL + "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=" + wa.VerifyToken)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(b) != "1158201444" {
		t.Errorf("Meta's handshake: %d %q", resp.StatusCode, b)
	}

	const notAKey = "bm90IGEga2V5IG5vdCBhIGtleQ=="
	_, _, _, err = up.Nodes[0].Tenants.CreateSource(t.Context(), tenant.Operator, "acme", tenant.NewSource{Adapter: "sendgrid", Secret: notAKey})
	if fault.ReasonOf(err) != "source.bad_key" {
		t.Errorf("a sendgrid source without a key: %v, want source.bad_key", err)
	}
}

func TestCloudEventsComeInUnderTheSourcesKey(t *testing.T) {
	up, stop := startUp(t, t.TempDir())
	defer stop()
	r, n := up.File.Regions[0], up.Nodes[0]
	s, key, _, err := n.Tenants.CreateSource(t.Context(), tenant.Operator, "acme", tenant.NewSource{Adapter: "cloudevents"})
	if err != nil || s.Service != "custom" || !strings.HasPrefix(key, "dwk_ie1_") {
		t.Fatalf("%v, service %q: want that of the kind cloudevent, and a key", err, s.Service)
	}
	for service, ok := range map[string]bool{"messaging": true, "nowhere": false} {
		_, _, _, err := n.Tenants.CreateSource(t.Context(), tenant.Operator, "acme", tenant.NewSource{Adapter: "cloudevents", Service: service})
		if (err == nil) != ok {
			t.Errorf("a source of service %s: %v", service, err)
		}
	}
	target := r.URL + "/cloudevents/" + s.ID
	headers := map[string]string{"Authorization": "Bearer " + key, "Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Id": "ce-1",
		"Ce-Type": "com.example.customer.updated", "Ce-Source": "/crm/eu", "Ce-Subjecttype": "email", "Ce-Subjectid": "marek.synthetic@example.org"}
	for range 2 {
		if status, answer := post(t, target, `{"city":"Gdansk"}`, headers); status != 204 {
			t.Fatalf("%d %s, want 204", status, answer)
		}
	}
	headers["Authorization"] = "Bearer " + r.Sources["segment"].WriteKey
	if status, answer := post(t, target, `{"city":"Gdansk"}`, headers); status != 403 {
		t.Errorf("another source's key: %d %s, want 403", status, answer)
	}
	status, answer := post(t, r.URL+"/api/v1/subjects:find", `{"identifiers":[{"type":"email","value":"marek.synthetic@example.org"}]}`,
		map[string]string{"Authorization": "Bearer " + r.APIToken})
	if status != 200 {
		t.Errorf("find: %d %s", status, answer)
	}
}
