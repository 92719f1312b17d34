package plane_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/twilio"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// TestTwilioWebhooksAreOnePersonsRecords brings every captured webhook twice, as retries come, and
// erases the person that most of them are about.
func TestTwilioWebhooksAreOnePersonsRecords(t *testing.T) {
	w := newWorld(t, "")
	w.rules = exampleRules(t)
	w.close()
	w.restart()
	w.now = time.Now()
	src := &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_twilio", Adapter: "twilio", Trust: term.Server}
	files, err := filepath.Glob("../ingest/twilio/testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for _, file := range files {
		contentType, body := webhook(t, file)
		if body == nil {
			continue
		}
		sent++
		for _, want := range []plane.Result{{Accepted: 1}, {Duplicate: 1}} {
			b, err := twilio.Decode(contentType, body, ingest.Env{ReceivedAt: w.now, Kinds: w.rules})
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			got, err := w.Ingest(context.Background(), src, b)
			b.Release()
			if err != nil || got.Accepted != want.Accepted || got.Duplicate != want.Duplicate || len(got.Refused) > 0 {
				t.Errorf("%s: %+v, %v, want %+v", file, got, err, want)
			}
		}
	}
	if sent != 12 {
		t.Errorf("%d webhooks were sent", sent)
	}
	aoife := w.find(term.Phone, "+447700900101")
	var kinds []string
	for _, r := range w.records(aoife) {
		kinds = append(kinds, r.Kind)
	}
	slices.Sort(kinds)
	if want := []string{"call.status", "conversation.message", "message", "message", "message", "message.status", "message.status", "recording", "task"}; !slices.Equal(kinds, want) {
		t.Errorf("%q, want %q", kinds, want)
	}
	if n := len(w.records(w.find(term.Identity, "user-ie-0001"))); n != 3 { // two of a room and a transcript
		t.Errorf("%d records", n)
	}
	if _, err := w.Find(context.Background(), w.caller, []plane.Identifier{{Type: term.Phone, Value: "+447700900001"}}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the tenant's own number names somebody: %v", err)
	}
	if r := w.erase(aoife); r.Records != int64(len(kinds)) {
		t.Errorf("%d records were erased, want %d", r.Records, len(kinds))
	}
}

// webhook reads a fixture of package twilio; body is nil when the file is none.
func webhook(t *testing.T, file string) (contentType string, body []byte) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var x struct {
		Request struct {
			Headers map[string]string
			Body    json.RawMessage
		}
	}
	if err := json.Unmarshal(raw, &x); err != nil {
		t.Fatal(err)
	}
	var form struct{ Raw string }
	if json.Unmarshal(x.Request.Body, &form) == nil && form.Raw != "" {
		return x.Request.Headers["content-type"], []byte(form.Raw)
	}
	return x.Request.Headers["content-type"], x.Request.Body
}
