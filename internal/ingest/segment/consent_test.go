package segment_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/segment"
)

// said is what the event with that context says of A, B and C: "yes no -".
func said(t testing.TB, event, context string) string {
	b, err := segment.Decode("/v1/track", []byte(`{"userId":"u","messageId":"m","event":"`+event+`","context":`+context+`}`), env(t))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	e := &b.Events[0]
	if e.Refused != nil {
		t.Fatalf("refused: %+v", e.Refused)
	}
	if e.Choices == nil {
		return "nothing"
	}
	var out []string
	for _, c := range []string{"A", "B", "C"} {
		out = append(out, spell(e.Choices, c))
	}
	if e.Choices.Act {
		out = append(out, "act")
	}
	return strings.Join(out, " ")
}

func spell(c *ingest.Choices, category string) string {
	switch yes, named := c.Says(category); {
	case yes:
		return "yes"
	case named:
		return "no"
	}
	return "-"
}

func TestConsentObjects(t *testing.T) {
	for _, tt := range []struct{ name, event, context, want string }{
		{"none", "e", `{}`, "nothing"},
		{"null", "e", `{"consent":null}`, "nothing"},
		{"empty", "e", `{"consent":{}}`, "nothing"},
		{"without preferences", "e", `{"consent":{"other":1}}`, "nothing"},
		{"empty preferences", "e", `{"consent":{"categoryPreferences":{}}}`, "no no no"},
		{"some", "e", `{"consent":{"categoryPreferences":{"A":true,"B":false}}}`, "yes no no"},
		{"no boolean", "e", `{"consent":{"categoryPreferences":{"A":"true","B":1,"C":null}}}`, "no no no"},
		{"no object of preferences", "e", `{"consent":{"categoryPreferences":["A"]}}`, "no no no"},
		{"preferences null", "e", `{"consent":{"categoryPreferences":null}}`, "no no no"},
		{"no object", "e", `{"consent":true}`, "no no no"},
		{"escaped", "e", `{"consent":{"categoryPreferences":{"\u0041":true}}}`, "yes no no"},
		{"chosen", "Segment Consent Preference Updated", `{"consent":{"categoryPreferences":{"A":true}}}`, "yes no no act"},
		{"lists", "e", `{"consentManagement":{"allowedConsentIds":["A"],"deniedConsentIds":["B"],"provider":"custom"}}`, "yes no no"},
		{"in both", "e", `{"consentManagement":{"allowedConsentIds":["A","B"],"deniedConsentIds":["B"]}}`, "yes no no"},
		{"empty lists", "e", `{"consentManagement":{"allowedConsentIds":[],"deniedConsentIds":[],"provider":"custom"}}`, "nothing"},
		{"only denied", "e", `{"consentManagement":{"deniedConsentIds":["A"]}}`, "no no no"},
		{"no list", "e", `{"consentManagement":{"allowedConsentIds":{"A":true}}}`, "no no no"},
		{"a list of something else", "e", `{"consentManagement":{"allowedConsentIds":["A",7]}}`, "no no no"},
		{"half a surrogate", "e", `{"consentManagement":{"allowedConsentIds":["A","\ud83d"]}}`, "no no no"},
		{"no object of lists", "e", `{"consentManagement":"all"}`, "no no no"},
		{"both SDKs' disagree", "e", `{"consent":{"categoryPreferences":{"A":true,"C":true}},"consentManagement":{"allowedConsentIds":["C"],"deniedConsentIds":["A"]}}`, "no no yes"},
		{"RudderStack's choice", "Consent Management Interaction", `{"consentManagement":{"allowedConsentIds":["C"]}}`, "no no yes act"},
	} {
		if got := said(t, tt.event, tt.context); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	var many []string
	for i := range ingest.MaxChoices + 1 {
		many = append(many, fmt.Sprintf(`"c%d":true`, i))
	}
	if got := said(t, "e", `{"consent":{"categoryPreferences":{"A":true,`+strings.Join(many, ",")+`}}}`); got != "no no no" {
		t.Errorf("too many: %s", got)
	}
}

// TestEventsOfABatchHaveTheirOwn: what is kept from one event to the next mustn't be another's.
func TestEventsOfABatchHaveTheirOwn(t *testing.T) {
	with := func(id, context string) string {
		return `{"type":"track","event":"e","userId":"u","messageId":"` + id + `"` + context + `}`
	}
	yes, no := `,"context":{"consent":{"categoryPreferences":{"A":true}}}`, `,"context":{"consent":{"categoryPreferences":{"A":false}}}`
	body := []byte(`{"batch":[` + strings.Join([]string{with("1", yes), with("2", yes), with("3", ""), with("4", no), with("5", yes),
		with("6", `,"context":{"consent":{}}`), with("7", yes)}, ",") + `]}`)
	for range 3 { // decoders are used again
		b, err := segment.Decode("/v1/batch", body, env(t))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range b.Events {
			if c := b.Events[i].Choices; c == nil {
				got = append(got, "nothing")
			} else {
				got = append(got, spell(c, "A"))
			}
		}
		if want := []string{"yes", "yes", "nothing", "no", "yes", "nothing", "yes"}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		b.Release()
	}
}

// FuzzConsent: a yes is only where the object has that very category as a boolean true, or in the list of
// those allowed and not in the other; and nothing panics.
func FuzzConsent(f *testing.F) {
	for _, s := range []string{`{}`, `{"consent":{"categoryPreferences":{"A":true,"B":false}}}`, `{"consentManagement":{"allowedConsentIds":["A"],"deniedConsentIds":["B"]}}`,
		`{"consent":{"categoryPreferences":{"A":{"A":true}}}}`, `{"consent":[],"consentManagement":{"allowedConsentIds":[["A"]]}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, context string) {
		body := []byte(`{"userId":"u","messageId":"m","event":"e","context":` + context + `}`)
		b, err := segment.Decode("/v1/track", body, env(t))
		if err != nil {
			return
		}
		defer b.Release()
		e := &b.Events[0]
		if e.Refused != nil || e.Choices == nil {
			return
		}
		var x struct {
			Context struct {
				Consent struct {
					CategoryPreferences map[string]any `json:"categoryPreferences"`
				} `json:"consent"`
				ConsentManagement struct {
					Allowed []string `json:"allowedConsentIds"`
					Denied  []string `json:"deniedConsentIds"`
				} `json:"consentManagement"`
			} `json:"context"`
		}
		_ = json.Unmarshal(body, &x) // as far as it goes
		for i := range e.Choices.Of {
			c := string(e.Choices.Of[i].Category)
			yes, _ := e.Choices.Says(c)
			if !yes {
				continue
			}
			if x.Context.Consent.CategoryPreferences[c] != true && !slices.Contains(x.Context.ConsentManagement.Allowed, c) || slices.Contains(x.Context.ConsentManagement.Denied, c) {
				t.Errorf("%q is a yes to %q", context, c)
			}
		}
	})
}
