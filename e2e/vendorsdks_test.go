package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUnmodifiedClients is one run of all the published clients that Domicile speaks to, each as its
// vendor ships it: Segment's and RudderStack's SDKs in Node and in Chromium, Segment's consent tools,
// the signature checks of Twilio and SendGrid, and the SDK of CloudEvents. Each event is read back.
func TestUnmodifiedClients(t *testing.T) {
	t.Run("analytics-node", segmentNodeSDK)
	t.Run("analytics-next, consent tools, analytics-js, rudder-sdk-node", func(t *testing.T) { onBothStores(t, browserAndRudderSDKs) })
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		ie1, person := w.region("ie1"), newCanaries().text("person")
		t.Run("twilio", func(t *testing.T) {
			s := ie1.Sources["twilio"]
			number := "+353831" + digits(6)
			ie1.agrees(t, "twilio-signed.mjs", 12, "URL="+s.URL, "TOKEN="+s.AuthToken, "PERSON="+person, "PHONE="+number)
			if n := len(ie1.records(t, ie1.find(t, "phone", number))); n != 12 {
				t.Errorf("the person has %d records, want 12", n)
			}
		})
		t.Run("eventwebhook", func(t *testing.T) {
			s := ie1.Sources["sendgrid"]
			ie1.agrees(t, "sendgrid-signed.mjs", 4, "URL="+s.URL, "KEY="+s.PrivateKey, "PERSON="+person)
			if n := len(ie1.records(t, ie1.find(t, "email", person+"@sdk.example"))); n != 3 {
				t.Errorf("the person has %d records, want 3: one is of another address", n)
			}
		})
		t.Run("cloudevents", func(t *testing.T) { cloudEventsSDK(t, ie1, person) })
	})
}

// agrees runs a script that plays a vendor, and wants Domicile to say of each request what the
// vendor's own check says of it: 200 and one record that is read back, so many times, or 403 and
// nothing.
func (r *region) agrees(t *testing.T, script string, accepted int, env ...string) {
	t.Helper()
	var all []struct {
		What, ID, Body string
		Valid          bool
		Status         int
	}
	node(t, &all, script, env...)
	refused := 0
	for _, x := range all {
		rs := r.byClientID(t, x.ID)
		switch {
		case x.Valid != (x.Status == 200) || !x.Valid && x.Status != 403:
			t.Errorf("%s: the vendor's check says %v, and the answer is %d", x.What, x.Valid, x.Status)
		case !x.Valid:
			if refused++; len(rs) != 0 {
				t.Errorf("%s: refused, and %d records", x.What, len(rs))
			}
		case len(rs) != 1 || !strings.Contains(textsOf(t, rs[0].Data), x.Body):
			t.Errorf("%s: %d records, want the one that was sent", x.What, len(rs))
		default:
			accepted--
		}
	}
	if accepted != 0 || refused < 7 {
		t.Errorf("%d more were to be accepted, %d were refused", accepted, refused)
	}
}

// cloudEventsSDK sends in every mode and reads each event back as the JSON format writes it.
func cloudEventsSDK(t *testing.T, ie1 *region, person string) {
	made := ie1.make(t, "cloudevents", "")
	path, key := "/cloudevents/"+made.ID, made.WriteKey
	var got struct {
		Status int
		Sent   []struct {
			Mode  string
			Event m
		}
	}
	node(t, &got, "cloudevents.mjs", "URL="+ie1.URL+path, "KEY="+key, "PERSON="+person)
	if got.Status != 204 || len(got.Sent) != 10 {
		t.Fatalf("batch: %d, %d events", got.Status, len(got.Sent))
	}
	for _, s := range got.Sent {
		id := s.Event["id"].(string)
		rs := ie1.byClientID(t, id)
		if len(rs) != 1 || rs[0].Kind != "cloudevent" {
			t.Errorf("%s is read back as %d records", id, len(rs))
			continue
		}
		var data m
		if err := json.Unmarshal(rs[0].Data, &data); err != nil {
			t.Fatal(err)
		}
		if _, said := s.Event["datacontenttype"]; s.Mode == "binary" && !said { // there the content type is that attribute
			s.Event["datacontenttype"] = "application/json; charset=utf-8"
		}
		if diff := cmp.Diff(s.Event, data); diff != "" {
			t.Errorf("%s is read back otherwise (-sent +read):\n%s", id, diff)
		}
	}
	if n := len(ie1.records(t, ie1.find(t, "user_id", "ce-"+person))); n != 8 {
		t.Errorf("the person has %d records, want 8: two texts name an address", n)
	}
}

// node runs a script in sdk with these variables and decodes what it prints.
func node(t *testing.T, into any, script string, env ...string) {
	t.Helper()
	cmd := exec.Command("node", filepath.Join("sdk", script))
	cmd.Env, cmd.Stderr = append(os.Environ(), env...), os.Stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s(needs Node.js and web/node_modules: scripts/setup)", script, err, out)
	}
}
