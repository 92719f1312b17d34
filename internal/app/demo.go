package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"domicile.dev/internal/id"
)

// Made-up people of the demo: a pool for each region, under reserved names and numbers (RFC 2606;
// the ranges that the numbering plans keep for fiction).
var (
	demoFirst  = []string{"Aoife", "Noor", "Mateo", "Yuki", "Ines", "Tomas", "Amara", "Lars", "Mei", "Ravi"}
	demoPhones = map[string]string{"ie1": "+35320915%04d", "us1": "+1202555%04d", "au1": "+61491570%03d"}
	demoWhat   = []string{"Order Completed", "Product Viewed"}
	demoTexts  = []string{"Where is my parcel?", "Please call me after six.", "Thank you, that works now.", "Is the shop open on Sunday?"}
	demoPages  = []string{"/", "/pricing", "/privacy", "/docs/quickstart", "/account"}
)

const (
	demoPeople = 200
	demoPause  = 400 * time.Millisecond // between two events of a region
	demoWrites = 5                      // somebody writes a message with every fifth event
)

// StartDemo keeps a modest stream of made-up people flowing into every region, over HTTP like any
// client, until ctx ends or stop is called.
func (u *Up) StartDemo(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for i := range u.File.Regions {
		wg.Add(1)
		go func() {
			defer wg.Done()
			u.demo(ctx, &u.File.Regions[i])
		}()
	}
	return func() { cancel(); wg.Wait() }
}

func (u *Up) demo(ctx context.Context, r *UpRegion) {
	client := &http.Client{Timeout: 5 * time.Second}
	tick := time.NewTicker(demoPause)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		person := rand.IntN(demoPeople)
		path, event := demoEvent(r.ID, person, n)
		demoSend(ctx, client, r.URL+path, func(h *http.Request) { h.SetBasicAuth(r.Sources["segment"].WriteKey, "") }, event)
		if n%demoWrites == 0 {
			demoSend(ctx, client, r.URL+"/v1/records", func(h *http.Request) { h.Header.Set("Authorization", "Bearer "+r.Sources["native"].Token) }, []any{demoMessage(r.ID, person)})
		}
	}
}

// demoSend sends one body. What fails is lost, as the demo's people are patient.
func demoSend(ctx context.Context, client *http.Client, url string, sign func(*http.Request), body any) {
	b, err := json.Marshal(body)
	if err != nil {
		return
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(b))
	if err != nil {
		return
	}
	sign(req)
	req.Header.Set("Content-Type", "application/json")
	if resp, err := client.Do(req); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}

// demoMessage is a message that somebody wrote.
func demoMessage(region string, person int) map[string]any {
	phone := fmt.Sprintf(demoPhones[region], person%1000)
	return map[string]any{"id": id.New("demo", 15), "kind": "message", "service": "messaging", "subjects": []any{map[string]any{"type": "phone", "value": phone, "role": "sender"}},
		"data": map[string]any{"from": phone, "channel": "sms", "direction": "inbound", "body": demoTexts[person%len(demoTexts)]}}
}

// demoConsent is what a consent tool says of a person: half of them agreed, some refused, and the others
// were never asked.
func demoConsent(person int) map[string]any {
	switch person % 4 {
	case 0, 1:
		return map[string]any{"categoryPreferences": map[string]any{"Advertising": true, "Analytics": true, "DataSharing": true}}
	case 2:
		return map[string]any{"categoryPreferences": map[string]any{"Advertising": false, "Analytics": false, "DataSharing": false}}
	}
	return nil
}

// demoEvent makes one event of a person: now and then who they are, else what they do.
func demoEvent(region string, person, n int) (path string, event map[string]any) {
	user := fmt.Sprintf("demo-%s-%03d", region, person)
	about := map[string]any{"ip": fmt.Sprintf("192.0.2.%d", 1+person%250), "library": map[string]any{"name": "domicile-demo", "version": "1"}, "locale": "en-IE"}
	if c := demoConsent(person); c != nil {
		about["consent"] = c
	}
	event = map[string]any{"userId": user, "anonymousId": "device-" + user, "messageId": id.New("demo", 15), "timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"context": about}
	if n%5 == 0 {
		first := demoFirst[person%len(demoFirst)]
		event["traits"] = map[string]any{"email": user + "@example.com", "firstName": first,
			"phone": fmt.Sprintf(demoPhones[region], person%1000)}
		return "/v1/identify", event
	}
	if n%2 == 0 {
		event["name"] = "Site"
		event["properties"] = map[string]any{"url": "https://www.example.com" + demoPages[person%len(demoPages)], "path": demoPages[person%len(demoPages)]}
		return "/v1/page", event
	}
	event["event"] = demoWhat[person%len(demoWhat)]
	event["properties"] = map[string]any{"order_id": fmt.Sprintf("o-%d", n), "revenue": float64(person) + 0.5, "currency": "EUR"}
	return "/v1/track", event
}
