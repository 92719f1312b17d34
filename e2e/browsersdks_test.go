package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The published SDKs work as they are: in Node, and in Chromium on a page of another site. What they
// send is read back as it was sent, and a page's visitors are led to nobody but the region.
func browserAndRudderSDKs(t *testing.T, kind string) {
	w := newWorld(t, kind)
	ie1, us1 := w.region("ie1"), w.region("us1")
	origin, key := shop(t), ie1.Sources["browser"].WriteKey
	person := newCanaries().text("person")

	for how, settings := range map[string]int{"settings": 1, "alone": 0} {
		t.Run("analytics-next "+how, func(t *testing.T) {
			got := ie1.open(t, origin, "segment.html", key, person, how)
			events := ie1.delivered(t, got, "authorization")
			wantTypes(t, events, "track identify page screen group alias")
			if user, sent := events[0]["userId"]; !sent || user != nil {
				t.Errorf("before somebody logs in userId is %v, want null", user)
			}
			if n := got.count("GET", "/v1/projects/"+key+"/settings"); n != settings {
				t.Errorf("asked for settings %d times, want %d", n, settings)
			}
			if err := ie1.has(t, how+"-"+person, "alias group identify page screen track"); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("analytics-next in batches", func(t *testing.T) {
		got := ie1.open(t, origin, "segment-batch.html", key, person, "")
		ie1.delivered(t, got, "authorization")
		w.eventually("what was sent while the page was left", func() error { return ie1.has(t, "batch-"+person, "identify track track") })
	})
	t.Run("analytics-consent-tools", func(t *testing.T) {
		events := ie1.delivered(t, ie1.open(t, origin, "consent.html", key, person, ""), "authorization")
		wantTypes(t, events, "identify track track track")
		var told []any
		for _, e := range events {
			told = append(told, e["event"], at(e, "context", "consent", "categoryPreferences", "Advertising"))
			if at(e, "context", "consent", "categoryPreferences", "Analytics") != true {
				t.Errorf("%v came without its consent", e["event"])
			}
		}
		want := []any{nil, false, "Chose", false, "Segment Consent Preference Updated", true, "Went on", true}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Error(diff)
		}
	})
	const rudders = "anonymousid,authorization,content-type,sentat"
	for how, name := range map[string]string{"one": "analytics-js", "batch": "analytics-js in batches"} {
		t.Run(name, func(t *testing.T) {
			events := ie1.delivered(t, ie1.open(t, origin, "rudder.html", key, person, how), rudders)
			const calls = "track identify page group alias"
			slices.SortStableFunc(events, func(a, b m) int { // it sends without waiting, so one may overtake another
				return strings.Index(calls, a["type"].(string)) - strings.Index(calls, b["type"].(string))
			})
			wantTypes(t, events, calls)
			if events[0]["userId"] != "" || events[1]["traits"] != nil || at(events[1], "context", "traits", "email") == nil {
				t.Errorf("not what this SDK is known for: %v, %v", events[0]["userId"], events[1])
			}
			denied := at(events[2], "context", "consentManagement", "deniedConsentIds")
			if diff := cmp.Diff([]any{"Advertising"}, denied); diff != "" {
				t.Errorf("consent: %s", diff)
			}
			if err := ie1.has(t, "rudder-"+how+"-"+person, "alias group identify page track"); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("analytics-js by beacon", func(t *testing.T) {
		got := ie1.open(t, origin, "rudder.html", key, person, "beacon")
		for _, a := range got.Requests {
			if a.Method == "POST" && (a.path() != "/beacon/v1/batch" || a.Failed != "") {
				t.Errorf("POST %s: %s", a.path(), a.Failed)
			}
		}
		w.eventually("the beacon's events", func() error { return ie1.has(t, "rudder-beacon-"+person, "alias group identify page track") })
	})
	if got := string(w.get(t, ie1.URL+"/health")); got != "ready\n" {
		t.Errorf("/health: %q", got)
	}
	t.Run("rudder-sdk-node", func(t *testing.T) { rudderNode(t, ie1, us1, person) })
	t.Run("a page can read why it is refused", func(t *testing.T) {
		for key, want := range map[string]string{
			ie1.Sources["segment"].WriteKey: `/v1/i 400 body.truncated  false
//v1/i 200   false
/v1/i 401 credential.unknown  false
/v1/merge 400 call.unsupported  false
/v1/nothing 404 path.unknown  false
/v1/projects/KEY/settings 403 source.not_public  false
/sourceConfig/?p=npm 403 source.not_public  false`,
			us1.Sources["browser"].WriteKey: `/v1/i 421 residency.wrong_region US1 false
//v1/i 421 residency.wrong_region US1 false
/v1/i 401 credential.unknown  false
/v1/merge 400 call.unsupported  false
/v1/nothing 404 path.unknown  false
/v1/projects/KEY/settings 421 residency.wrong_region US1 false
/sourceConfig/?p=npm 421 residency.wrong_region US1 false`,
		} {
			got := ie1.open(t, origin, "refused.html", key, person, "").Result
			if diff := cmp.Diff(want, strings.NewReplacer(key, "KEY", us1.URL, "US1").Replace(got)); diff != "" {
				t.Error(diff)
			}
		}
	})
	if n := accepted(t, us1); n != 0 {
		t.Errorf("us1 accepted %d", n)
	}
	w.declaresAll(t)
}

// rudderNode sends with rudder-sdk-node, to the right region and to the wrong one.
func rudderNode(t *testing.T, right, wrong *region, person string) {
	person += "-node"
	sent, failures, ok := sdk(t, "rudder-node.mjs", right.URL, right.Sources["segment"].WriteKey, person)
	if !ok || len(sent) != 6 {
		t.Fatalf("sent %v, failures %v", sent, failures)
	}
	words := map[string]string{"track": `"Viewed"`, "identify": `"Dublin"`, "page": `"Privacy"`, "screen": `"Settings"`, "group": `"Globex"`, "alias": `"anon-`}
	for _, s := range sent {
		rs := right.byClientID(t, s.MessageID)
		if len(rs) != 1 || rs[0].Kind != s.Type || !strings.Contains(string(rs[0].Data), words[s.Type]) {
			t.Errorf("%s is read back as %d records", s.Type, len(rs))
		}
	}
	if got := right.kindsOf(t, "email", person+"@sdk.example"); got != "alias group identify page screen track" {
		t.Errorf("the person's records are %s, want one of each kind", got)
	}
	sent, failures, ok = sdk(t, "rudder-node.mjs", wrong.URL, right.Sources["segment"].WriteKey, person+"x")
	if ok || len(sent) != 0 || len(failures) == 0 || !strings.Contains(strings.Join(failures, " "), "421") {
		t.Errorf("with the key of another region: sent %v, failures %q", sent, failures)
	}
}

// wantTypes wants the events to be of these types, in this order.
func wantTypes(t *testing.T, events []m, want string) {
	t.Helper()
	var got []string
	for _, e := range events {
		got = append(got, e["type"].(string))
	}
	if strings.Join(got, " ") != want {
		t.Fatalf("sent %v, want %s", got, want)
	}
}
