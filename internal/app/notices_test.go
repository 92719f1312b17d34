package app_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"domicile.dev/examples"
	"domicile.dev/internal/app"
	"domicile.dev/internal/client"
)

// A recipient's webhook gets a person's message and then, once the person is erased, is told so. It
// takes as long as the pause before the first attempt.
func TestARecipientIsToldOfAnErasureOverItsWebhook(t *testing.T) {
	var mu sync.Mutex
	var records, told []string
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if r.Header.Get("Domicile-Notice") != "" {
			told = append(told, r.Header.Get("Webhook-Id")+" "+string(b))
		} else {
			records = append(records, string(b))
		}
	}))
	defer hook.Close()
	up, err := app.StartUp(t.Context(), app.UpOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0", Programme: exampleProgramme(t), Folder: examples.Communications(),
		Log: quiet, Destinations: []string{"sp-01=" + hook.URL}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- up.Serve(ctx) }()
	defer func() { cancel(); <-done }()
	region := up.File.Regions[0]
	post := func(path, token, body string) {
		t.Helper()
		req, _ := http.NewRequest(http.MethodPost, region.URL+path, bytes.NewReader([]byte(body)))
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/x-ndjson")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if b, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 {
			t.Fatalf("%s: %d %s", path, resp.StatusCode, b)
		}
	}
	post("/v1/records", region.Sources["native"].Token, `{"id":"1","kind":"message","service":"messaging","subjects":[{"type":"phone","value":"+353861110001","role":"sender"},{"type":"phone","value":"+15550100","role":"own"}],"data":{"from":"+353861110001","to":"+15550100","body":"hello","message_id":"SM1"}}`)
	operator, err := client.New(region.URL, up.Nodes[0].Operator, nil)
	if err != nil {
		t.Fatal(err)
	}
	acme, err := client.New(region.URL, region.APIToken, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := operator.OrderFlow(ctx, "message_screening", "start", "", "0"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the message", func() bool { mu.Lock(); defer mu.Unlock(); return len(records) == 1 })
	person, err := acme.Find(ctx, client.Identifier{Type: "phone", Value: "+353861110001"})
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := acme.Erase(ctx, person.Subject, "", false)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the notice", func() bool { mu.Lock(); defer mu.Unlock(); return len(told) == 1 })
	var all []client.Notice
	eventually(t, "the outcome", func() bool {
		all, err = acme.Notices(ctx)
		return err == nil && len(all) == 1 && all[0].State == "confirmed"
	})
	n := all[0]
	if n.Kind != "erasure" || n.Receipt != receipt.Receipt || n.Tenant != "acme" || n.Recipient != "sp-01" || n.Attempts != 1 || n.DoneAt == nil {
		t.Errorf("notice %+v", n)
	}
	if want := n.ID + ` {"notice":"erasure","subjects":["` + person.Subject + `"],"at":"`; !strings.HasPrefix(told[0], want) {
		t.Errorf("told %s, want %s…", told[0], want)
	}
	if got, err := operator.Notices(ctx); err != nil || len(got) != 1 {
		t.Errorf("the operator sees %v, %v", got, err)
	}
}
