package app_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"domicile.dev/internal/app"
	"domicile.dev/internal/config"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/flow/flowtest"
)

// What a recipient is pointed at holds in every region; the secret stays from start to start, and one
// that verifies with it gets what is delivered.
func TestUpPointsARecipientAtAURL(t *testing.T) {
	dir := t.TempDir()
	var head http.Header
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		head = r.Header
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer hook.Close()
	recipient, other := "sp-01", "sp-13"
	start := func() (*app.Up, func()) {
		t.Helper()
		up, err := app.StartUp(context.Background(), app.UpOptions{Dir: dir, Listen: "127.0.0.1:0", Programme: exampleProgramme(t), Log: quiet,
			Destinations: []string{recipient + "=" + hook.URL + "/hook?a=b", other + "=file://" + filepath.Join(dir, "out")}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- up.Serve(ctx) }()
		return up, func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Serve: %v", err)
			}
		}
	}
	up, stop := start()
	first := up.File.Destinations
	for _, n := range up.Nodes {
		for _, to := range []string{recipient, other} {
			c, err := n.OpenConnector(t.Context(), to)
			if err != nil {
				t.Fatal(err)
			}
			d, _ := flowtest.Delivery("f", 1, 2)
			if err := c.Deliver(t.Context(), d); err != nil {
				t.Errorf("deliver to %s: %v", to, err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		if c, err := n.OpenConnector(t.Context(), "sp-26"); c != nil || fault.ReasonOf(err) != "destination.none" || fault.KindOf(err) != fault.NotFound {
			t.Errorf("a recipient without destination: %v, %v", c, err)
		}
	}
	if head.Get("Webhook-Signature") == "" {
		t.Error("the hook got no signature")
	}
	stop()
	b, err := os.ReadFile(filepath.Join(dir, "up.json"))
	var f app.UpFile
	if err != nil || json.Unmarshal(b, &f) != nil || len(f.Destinations) != 2 || f.Destinations[0].Recipient != recipient ||
		!strings.HasPrefix(f.Destinations[0].Secret, "whsec_") || f.Destinations[1].Secret != "" {
		t.Errorf("up.json: %s, %v", b, err)
	}
	if st, err := os.Stat(filepath.Join(dir, "up.json")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("up.json: %v, %v; want mode 0600", st, err)
	}
	if made, _ := filepath.Glob(filepath.Join(dir, "out", "f", "acme", "*", "*", "*", "*.ndjson")); len(made) != 1 {
		t.Errorf("objects: %q", made)
	}
	up, stop = start()
	defer stop()
	if up.File.Destinations[0] != first[0] {
		t.Error("the secret is another one after a restart")
	}
}

func TestADestinationThatCannotBe(t *testing.T) {
	for told, reason := range map[string]string{
		"nobody=https://p.example.com":             "destination.unknown_recipient",
		"sp-01":                                    "up.destination",
		"sp-01=":                                   "up.destination",
		"=https://p.example.com":                   "up.destination",
		"sp-01=domicile+http://127.0.0.1:1":        "up.destination",
		"sp-01=ftp://p.example.com":                "destination.bad_url",
		"sp-01=http://p.example.com":               "destination.bad_url",
		"sp-01=https://user:secret@p.example.com/": "destination.bad_url",
	} {
		_, err := app.StartUp(context.Background(), app.UpOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0", Programme: exampleProgramme(t), Log: quiet,
			Destinations: []string{told}})
		f, ok := fault.As(err)
		if !ok || f.Reason != reason || f.Kind != fault.Invalid || f.Hint == "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %s", told, err, reason)
		}
	}
	_, err := app.StartUp(context.Background(), app.UpOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0", Programme: exampleProgramme(t), Log: quiet,
		Destinations: []string{"sp-01=https://a.example.com", "sp-01=https://b.example.com"}})
	if fault.ReasonOf(err) != "up.destination" {
		t.Errorf("two for one recipient: %v", err)
	}
}

// A real region takes what a flow sends to it, once however often it is sent, under the flow's name.
func TestAnotherRegionTakesADelivery(t *testing.T) {
	up, stop := startUp(t, t.TempDir())
	defer stop()
	us1 := up.File.Regions[1]
	up.Nodes[0].Config.Destinations = map[string]config.Destination{"sp-01": {URL: "domicile+" + us1.URL, Tokens: map[string]string{app.UpTenant: us1.Sources["native"].Token}}}
	c, err := up.Nodes[0].OpenConnector(t.Context(), "sp-01")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	d, lines := flowtest.Delivery("f", 1, 3)
	for range 2 {
		if err := c.Deliver(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		d.Attempt++
	}
	for _, l := range lines {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, us1.URL+"/api/v1/records/by-client-id/f:"+l.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+us1.APIToken)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Records []struct{ Data json.RawMessage }
		}
		err = json.NewDecoder(res.Body).Decode(&got)
		_ = res.Body.Close()
		if err != nil || len(got.Records) != 1 || !strings.Contains(string(got.Records[0].Data), flowtest.Canary) {
			t.Errorf("%s: %d records, %v, status %d", l.ID, len(got.Records), err, res.StatusCode)
		}
	}
	bad := *d
	bad.ID, bad.Body = "dlv_x", []byte(strings.ReplaceAll(string(d.Body), `"message"`, `"no-such-kind"`))
	bad.Flow = "g"
	if r, ok := flow.RefusedIn(c.Deliver(t.Context(), &bad)); !ok || len(r.Records) != 3 || r.Reasons["record.unknown_kind"] != 3 {
		t.Errorf("kinds that the region doesn't have: %+v", r)
	}
}
