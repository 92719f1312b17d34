package twilio_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/ingesttest"
	"domicile.dev/internal/ingest/twilio"
)

const (
	formType = "application/x-www-form-urlencoded; charset=UTF-8"
	jsonType = "application/json"
)

// What adapters' tests share. Webhooks are written down at greater length here than ingesttest does.
var received, env, data = ingesttest.Received, ingesttest.Env, ingesttest.Data

// fixture returns the content type and body of a file of testdata.
func fixture(t testing.TB, name string) (contentType string, body []byte) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var x struct {
		Request struct {
			Headers map[string]string
			Body    json.RawMessage
		}
	}
	var form struct{ Raw string }
	if err := json.Unmarshal(raw, &x); err != nil {
		t.Fatal(err)
	}
	if json.Unmarshal(x.Request.Body, &form) == nil && form.Raw != "" {
		return x.Request.Headers["content-type"], []byte(form.Raw)
	}
	return x.Request.Headers["content-type"], x.Request.Body
}

// form encodes names and values in turn.
func form(pairs ...string) string {
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		parts = append(parts, url.QueryEscape(pairs[i])+"="+url.QueryEscape(pairs[i+1]))
	}
	return strings.Join(parts, "&")
}

// kept is what became of a webhook, as a test writes it down.
type kept struct {
	Kind, ID, Qualifier, At string
	People                  []string // role, type and value
	Parts                   []string // owner, category and the names in it
}

func describe(t testing.TB, b *ingest.Batch, i int) kept {
	t.Helper()
	e := &b.Events[i]
	if e.Refused != nil {
		return kept{Kind: strings.TrimSpace("refused: " + e.Refused.Reason + " " + b.Path(e))}
	}
	k := kept{Kind: e.Kind.Service + "/" + e.Kind.Name, ID: string(e.ClientID), Qualifier: e.Qualifier,
		At: time.UnixMilli(e.OccurredAt).UTC().Format("2006-01-02T15:04:05")}
	if e.OccurredAt == received.UnixMilli() {
		k.At = "received"
	}
	for _, id := range e.Identifiers {
		k.People = append(k.People, fmt.Sprintf("%s %s %s", id.Role, id.Type, id.Value))
	}
	for _, f := range e.Fragments {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(f.JSON, &members); err != nil {
			t.Fatalf("%s: %v", f.JSON, err)
		}
		var names []string
		for name := range members {
			names = append(names, name)
		}
		slices.Sort(names)
		k.Parts = append(k.Parts, fmt.Sprintf("%s %s: %s", f.Owner, f.Category, strings.Join(names, " ")))
	}
	return k
}

func decode(t testing.TB, e ingest.Env, contentType string, body string) *ingest.Batch {
	t.Helper()
	b, err := twilio.Decode(contentType, []byte(body), e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
