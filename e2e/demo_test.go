package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The demo sends of itself, and flows of each form bring some of it to a page that anybody can read.
func TestDemo(t *testing.T) {
	w := newWorld(t, "sqlite", withArgs("--demo"))
	for _, r := range w.up.Regions {
		w.eventually("made-up people in "+r.ID, func() error {
			if n := accepted(t, r); n < 3 {
				return fmt.Errorf("%d events", n)
			}
			return nil
		})
	}
	ie1 := w.region("ie1")
	page := func() string { return string(w.get(t, ie1.URL+"/demo/")) }
	w.eventually("two forms on the page", func() error {
		if p := page(); !strings.Contains(p, "rec_") || !strings.Contains(p, "psn_") || !strings.Contains(p, "192.0.2.0/24") {
			return errors.New("they aren't there yet")
		}
		return nil
	})
	// A minute that is whole, and what the demo needs to count it. In a part of one there may be too few people.
	for deadline := time.Now().Add(patience + 2*time.Minute); !strings.Contains(page(), "&#34;people&#34;"); pause(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no counts: %s", tail(page(), 2000))
		}
	}
	for _, person := range []string{"demo-ie1-", "device-demo", "@example.com"} { // what the three flows ask for has no names, ids and addresses
		if strings.Contains(page(), person) {
			t.Errorf("the page has %s", person)
		}
	}
	if front := string(w.get(t, ie1.URL+"/")); !strings.Contains(front, `href="/demo/"`) {
		t.Error("the front page doesn't lead there")
	}
	w.region("us1").send(t, "GET", "/demo/", nil, nil).want(t, 404)
	ie1.send(t, "POST", "/demo/sp-01", header{"Domicile-Flow": screening, "Webhook-Id": "dlv_forged", "Webhook-Timestamp": fmt.Sprint(time.Now().Unix()), "Webhook-Signature": "v1,AAAA"}, []byte("{}\n")).want(t, 401)
	if strings.Contains(page(), "dlv_forged") {
		t.Error("a delivery that nobody signed is on the page")
	}
	shots := os.Getenv("DOMICILE_SCREENSHOTS")
	if shots != "" {
		var err error
		if shots, err = filepath.Abs(filepath.Join("..", shots)); err != nil {
			t.Fatal(err)
		}
	}
	var looks []look
	node(t, &looks, "privacy.mjs", "URL="+ie1.URL, `PAGES=["/demo/"]`, "SHOTS="+shots)
	legible(t, looks, 6)
	w.stop()
	w.start() // the flows run already
	w.eventually("the page after another start", func() error {
		if !strings.Contains(page(), "rec_") {
			return errors.New("nothing is there")
		}
		return nil
	})
	w.stop()
}
