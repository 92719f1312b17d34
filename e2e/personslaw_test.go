package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// verifying is a flow out of the US to a recipient there, which US law lets go in the clear.
const verifying, verifier = "verification_delivery", "sp-15"

// TheLawThatAPersonBrings: who lives in Germany or has a Brazilian number brings that law into a region in
// the US. Nothing of them leaves by a flow that US law alone allows, until they declare that they have moved.
func TestTheLawThatAPersonBrings(t *testing.T) {
	onBothStoresAtOnce(t, func(t *testing.T, kind string) {
		rc := newRecipient(t, 0)
		w := newWorld(t, kind, rc.destinations(verifier))
		rc.meet(w)
		us1, c := w.region("us1"), newCanaries()
		rc.mu.Lock()
		rc.ie1 = func() *region { return us1 }
		rc.mu.Unlock()
		order := func(args ...string) {
			t.Helper()
			if out, errs, code := w.run("", append([]string{"flow"}, append(args, "--up", w.dir, "--region", "us1")...)...); code != 0 {
				t.Fatalf("flow %v: exit %d: %s%s", args, code, out, errs)
			}
		}
		verify := func(phone, words string) {
			us1.native(t, m{"id": c.text("client id of " + words), "kind": "verification", "service": "verify", "subjects": []m{{"type": "phone", "value": phone, "role": "recipient"}},
				"data": m{"to": phone, "payee": words, "channel": "rcs", "status": "delivered"}})
		}
		arrives := func(what, words string) {
			t.Helper()
			w.eventually(what, func() error {
				if !rc.has(verifier, words) {
					return fmt.Errorf("%d deliveries came", len(rc.arrivals(verifier)))
				}
				return nil
			})
		}
		const plain, german, brazilian = "+12025550143", "+12025550178", "+5511961234567"
		lives := func(country string) {
			us1.segment(t, "/v1/identify", m{"userId": "who lives in Germany", "messageId": c.text("client id of " + country), "traits": m{"phone": german, "address": m{"country": country}}})
		}
		lives("DE")
		order("start", verifying)
		theirs, others := c.text("words of who lives in Germany"), c.text("words of a Brazilian number")
		verify(german, theirs)
		verify(brazilian, others)
		first := c.text("words of an American")
		verify(plain, first)
		arrives("an American's to leave", first)
		for _, x := range []string{theirs, german, others, brazilian} {
			if rc.has(verifier, x) {
				t.Errorf("what another law bars left by what US law says alone")
			}
		}

		subject := us1.find(t, "phone", german)
		decided := func(allowed string, laws ...string) {
			t.Helper()
			out, errs, _ := w.run("", "decide", "--up", w.dir, "--region", "us1", "--flow", verifying, "--kind", "verification", "--subject", subject, "--json")
			var d struct {
				Form    string
				Laws    []string
				Reasons []struct{ Code, Says string }
			}
			if err := json.Unmarshal([]byte(out), &d); err != nil || d.Form != allowed || !slices.Equal(d.Laws, laws) {
				t.Errorf("decide says %s under %v, want %s under %v: %v %s", d.Form, d.Laws, allowed, laws, err, errs)
			}
			why := slices.IndexFunc(d.Reasons, func(r struct{ Code, Says string }) bool {
				return r.Code == "law.person" && strings.Contains(r.Says, "which they declared")
			})
			if why < 0 {
				t.Errorf("no reason says why a law is asked: %+v", d.Reasons)
			}
		}
		decided("aggregated", "eu", "us")
		out, errs, code := w.run("", "subject", "show", subject, "--up", w.dir, "--region", "us1")
		if code != 0 || !strings.Contains(out, "law of DE") || !strings.Contains(out, "law of US") || !strings.Contains(out, us1.Sources["segment"].ID) {
			t.Errorf("subject show doesn't say whose law they bring: exit %d %s%s", code, out, errs)
		}

		lives("US")
		decided("clear", "us")
		again := c.text("words of who moved")
		verify(german, again)
		arrives("who moved to leave", again)
		if rc.has(verifier, theirs) {
			t.Error("what was passed over came without being asked for")
		}
		order("replay", verifying, "--from", "0")
		arrives("the same record, under the law of now", theirs)
		if rc.has(verifier, others) {
			t.Error("a Brazilian number's words left")
		}
		rc.checkEntries()
	})
}
