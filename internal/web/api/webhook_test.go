package api_test

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	dataplane "domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"domicile.dev/internal/web/api"
	"domicile.dev/internal/web/guard"
)

const (
	hookToken    = "0123456789abcdef0123456789abcdef"
	oldHookToken = "fedcba9876543210fedcba9876543210"
	hookURL      = "https://ie1.example.com"
	eventsKey    = "dwk_ie1_events"
)

// door is the webhooks' handler over an intake, with a source of each vendor.
type door struct {
	*intake
	handler http.Handler
	ecdsa   *ecdsa.PrivateKey
	hooks   map[string]*tenant.Hook
	hookErr error
	fresh   map[string]*tenant.Hook // by now
	looks   int
	reached bool // what is behind the door
	pattern string
}

func (d *door) Hook(sid string) (*tenant.Hook, error) {
	if strings.HasPrefix(sid, "src_us1_") {
		return nil, fault.New(fault.WrongRegion, "residency.wrong_region", "this source belongs to region us1, this is ie1").With("url", "https://us1.example.com")
	}
	if h := d.hooks[sid]; h != nil && d.hookErr == nil {
		return h, nil
	} else if d.hookErr != nil {
		return nil, d.hookErr
	}
	return nil, fault.New(fault.NotFound, "source.not_found", "there is no such source")
}

// Fresh knows what another node did a moment ago.
func (d *door) Fresh(sid string) (*tenant.Hook, error) {
	d.looks++
	if h := d.fresh[sid]; h != nil {
		return h, nil
	}
	return d.Hook(sid)
}

// eventSources know the key of the CloudEvents source.
type eventSources struct{ *intake }

func (s eventSources) SourceByKey(key string) (*tenant.Source, error) {
	src, err := s.intake.SourceByKey(key)
	if key == eventsKey {
		return &tenant.Source{ID: "src_ie1_cloudevents", Adapter: term.AdapterCloudEvents}, nil
	}
	return src, err
}

func newDoor(t testing.TB) *door {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{intake: newIntake(api.IngestOptions{}), ecdsa: key, hooks: map[string]*tenant.Hook{}}
	for adapter, secret := range map[string]string{"twilio": hookToken, "sendgrid": base64.StdEncoding.EncodeToString(spki), "whatsapp": hookToken, "cloudevents": ""} {
		h := &tenant.Hook{Source: &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_ie1_" + adapter, Adapter: adapter, Trust: term.Server}}
		if secret != "" {
			h.Secrets = []tenant.Secrets{{Secret: secret, VerifyToken: "dwv_ie1_new"}, {Secret: oldHookToken, VerifyToken: "dwv_ie1_old"}}
		} else {
			h.Source.Service = "custom"
		}
		d.hooks[h.Source.ID] = h
	}
	in := api.NewIngest(eventSources{d.intake}, d.intake, d.intake, api.IngestOptions{URL: hookURL, Now: func() time.Time { return now }})
	h := api.NewWebhooks(in, d, api.TwilioWebhook(), api.SendGridWebhook(), api.WhatsAppWebhook(), api.CloudEventsWebhook())
	rest := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { d.reached = true; w.WriteHeader(http.StatusTeapot) })
	next := h.First(in.First(rest))
	d.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r); d.pattern = r.Pattern })
	return d
}

func hub(secret, body string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(m.Sum(nil))
}

// ask sends a request as it would come from outside: below hookURL's host.
func (d *door) ask(t testing.TB, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "10.0.0.1:8080" // what a proxy asks
	for n := 0; n < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	w := httptest.NewRecorder()
	d.reached = false
	d.handler.ServeHTTP(w, r)
	if w.Code/100 == 3 {
		t.Errorf("%s answers a redirect", target)
	}
	if w.Code >= 400 && !d.reached {
		if ct := w.Header().Get("Content-Type"); ct != guard.ProblemType {
			t.Errorf("%s %d is of type %q, want a problem", target, w.Code, ct)
		}
	}
	return w
}

func reason(w *httptest.ResponseRecorder) string {
	var p struct{ Reason string }
	_ = json.Unmarshal(w.Body.Bytes(), &p)
	return p.Reason
}

const formType = "application/x-www-form-urlencoded"

// signTwilio signs as the vendor documents it: HMAC-SHA1 over the URL and the sorted parameters.
func signTwilio(token, u, body string) string {
	form, _ := url.ParseQuery(body)
	var names []string
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	m := hmac.New(sha1.New, []byte(token))
	m.Write([]byte(u))
	for _, name := range names {
		m.Write([]byte(name + form.Get(name)))
	}
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

const anSMS = "MessageSid=SM01&SmsStatus=received&From=%2B447700900101&To=%2B447700900001&Body=Hello"

func (d *door) sms(t testing.TB, path string) *httptest.ResponseRecorder {
	return d.ask(t, "POST", path, anSMS, "Content-Type", formType, "X-Twilio-Signature", signTwilio(hookToken, hookURL+path, anSMS))
}

// bodies are one good event each, and as what it is kept.
var bodies = map[string]struct{ body, kept string }{
	"twilio":   {anSMS, "message SM01"},
	"sendgrid": {`[{"email":"a@example.com","timestamp":1772368100,"event":"delivered","sg_event_id":"sg-1"}]` + "\r\n", "email.event sg-1"},
	"whatsapp": {`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",
		"metadata":{"display_phone_number":"447700900001","phone_number_id":"2"},"contacts":[{"wa_id":"447700900101","user_id":"IE.1"}],
		"messages":[{"from":"447700900101","id":"wamid.1","timestamp":"1772368100","type":"text","text":{"body":"Hello"}}]}}]}]}`, "message wamid.1"},
	"cloudevents": {`{"specversion":"1.0","id":"ce-1","type":"com.example.customer.updated","source":"/crm/eu","subjecttype":"user_id","subjectid":"user-1","data":{"city":"Cork"}}`,
		"cloudevent ce-1"},
}

// signed sends body to the vendor's source with a good signature, or key.
func (d *door) signed(t testing.TB, vendor, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	switch vendor {
	case "sendgrid":
		sum := sha256.Sum256([]byte("1772368200" + body))
		sig, err := ecdsa.SignASN1(rand.Reader, d.ecdsa, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return d.ask(t, "POST", path, body, "X-Twilio-Email-Event-Webhook-Timestamp", "1772368200",
			"X-Twilio-Email-Event-Webhook-Signature", base64.StdEncoding.EncodeToString(sig))
	case "whatsapp":
		return d.ask(t, "POST", path, body, "X-Hub-Signature-256", hub(hookToken, body))
	case "cloudevents":
		return d.ask(t, "POST", path, body, "Authorization", "Bearer "+eventsKey, "Content-Type", "application/cloudevents+json")
	}
	return d.ask(t, "POST", path, body, "Content-Type", formType, "X-Twilio-Signature", signTwilio(hookToken, hookURL+path, body))
}

func bodyOf(vendor string) string { return bodies[vendor].body }

var vendors = []string{"twilio", "sendgrid", "whatsapp", "cloudevents"}

func TestWebhooksOfEveryVendor(t *testing.T) {
	for _, vendor := range vendors {
		t.Run(vendor, func(t *testing.T) {
			d := newDoor(t)
			path := "/" + vendor + "/src_ie1_" + vendor
			kept := func(what string) {
				t.Helper()
				if got := d.took(); len(got) != 1 || got[0] != "src_ie1_"+vendor+" "+bodies[vendor].kept {
					t.Errorf("%s: took %q, want one message", what, got)
				}
			}
			none := func(what string, w *httptest.ResponseRecorder, status int, why string) {
				t.Helper()
				if w.Code != status || reason(w) != why {
					t.Errorf("%s: %d %s, want %d %s", what, w.Code, w.Body, status, why)
				}
				if got := d.took(); len(got) != 0 {
					t.Errorf("%s: took %q", what, got)
				}
			}
			if w := d.signed(t, vendor, path, bodyOf(vendor)); w.Code/100 != 2 || d.pattern != "POST /"+vendor+"/{source}" {
				t.Errorf("good: %d %s, pattern %q", w.Code, w.Body, d.pattern)
			}
			kept("good")
			d.result = dataplane.Result{Duplicate: 1}
			if w := d.signed(t, vendor, "/"+path+"/any/suffix", bodyOf(vendor)); w.Code/100 != 2 { // doubled slash, suffix, and a retry
				t.Errorf("again: %d %s", w.Code, w.Body)
			}
			kept("again")

			wrong := map[bool]string{true: "credential.missing", false: "signature.mismatch"}[vendor == "cloudevents"]
			status := map[bool]int{true: 401, false: 403}[vendor == "cloudevents"]
			none("unsigned", d.ask(t, "POST", path, bodyOf(vendor)), status, wrong)
			none("another region's", d.signed(t, vendor, "/"+vendor+"/src_us1_x", bodyOf(vendor)), 421, "residency.wrong_region")
			if w := d.signed(t, vendor, "/"+vendor+"/src_us1_x", bodyOf(vendor)); !strings.Contains(w.Body.String(), `"url":"https://us1.example.com"`) {
				t.Errorf("421 without the right address: %s", w.Body)
			}
			none("unknown", d.signed(t, vendor, "/"+vendor+"/src_ie1_nobody", bodyOf(vendor)), 404, "source.not_found")
			if w := d.garbage(t, vendor, path); w.Code != 400 || len(d.took()) != 0 {
				t.Errorf("garbage: %d %s", w.Code, w.Body)
			}
			none("too large", d.signed(t, vendor, path, strings.Repeat("x", 9<<20)), 413, "body.too_large")
			none("another method", d.ask(t, "PUT", path, bodyOf(vendor)), 405, "method.not_allowed")
			other := vendors[(slices.Index(vendors, vendor)+1)%4]
			none("another vendor's source", d.signed(t, vendor, "/"+vendor+"/src_ie1_"+other, bodyOf(vendor)), 403, "source.wrong_adapter")

			d.fail = &fault.Error{Kind: fault.Unavailable, Reason: "store.unavailable", RetryAfterSeconds: 3}
			w := d.signed(t, vendor, path, bodyOf(vendor))
			none("store away", w, 503, "store.unavailable")
			if w.Header().Get("Retry-After") != "3" {
				t.Errorf("Retry-After %q, want 3", w.Header().Get("Retry-After"))
			}
			d.fail, d.hookErr = nil, fault.New(fault.Unavailable, "source.unchecked", "")
			none("source unchecked", d.signed(t, vendor, path, bodyOf(vendor)), 503, "source.unchecked")
		})
	}
}

// garbage sends what nothing can be read of, signed well.
func (d *door) garbage(t testing.TB, vendor, path string) *httptest.ResponseRecorder {
	const body = "[{"
	if vendor != "twilio" {
		return d.signed(t, vendor, path, body)
	}
	sum := sha256.Sum256([]byte(body))
	path += "?bodySHA256=" + hex.EncodeToString(sum[:])
	return d.ask(t, "POST", path, body, "Content-Type", "application/json", "X-Twilio-Signature", signTwilio(hookToken, hookURL+path, ""))
}

func TestTwilioAnswersAsEachProductWantsIt(t *testing.T) {
	d := newDoor(t)
	const path = "/twilio/src_ie1_twilio"
	for body, want := range map[string]struct {
		status     int
		mediaType  string
		text       string
		eventCount int
	}{
		anSMS: {200, "text/xml; charset=utf-8", `<?xml version="1.0" encoding="UTF-8"?><Response/>`, 1},
		"MessageSid=SM01&MessageStatus=sent&To=%2B447700900101":         {200, "text/xml; charset=utf-8", `<?xml version="1.0" encoding="UTF-8"?><Response/>`, 1},
		"EventType=task.created&WorkspaceSid=WS1&TaskSid=WT1&Sid=EV1":   {204, "application/json", "", 1},
		"EventType=onMessageAdded&ConversationSid=CH1&MessageSid=IM1":   {200, "", "", 1},
		"StatusCallbackEvent=room-created&RoomSid=RM1&SequenceNumber=0": {200, "", "", 1},
		"SomethingNew=1": {200, "", "", 1}, // refused, counted, and not worth another try
	} {
		w := d.signed(t, "twilio", path, body)
		if w.Code != want.status || w.Header().Get("Content-Type") != want.mediaType || w.Body.String() != want.text {
			t.Errorf("%s: %d %q %q, want %+v", body, w.Code, w.Header().Get("Content-Type"), w.Body, want)
		}
		if got := d.took(); len(got) != want.eventCount {
			t.Errorf("%s: took %q", body, got)
		}
	}
}

func TestTwilioSignsTheAddressAsItWasConfigured(t *testing.T) {
	d := newDoor(t)
	const path = "/twilio/src_ie1_twilio"
	for _, tt := range []struct {
		name, base, target, signed, token string
		good                              bool
	}{
		{"the node's url", hookURL, path, path, hookToken, true},
		{"with a query and a suffix as they were sent", hookURL, path + "/sms?tenant=eu&q=a%20b", path + "/sms?tenant=eu&q=a%20b", hookToken, true},
		{"the host that was asked", "http://10.0.0.1:8080", path, path, hookToken, true},
		{"that host behind a proxy that ends TLS", "https://10.0.0.1:8080", path, path, hookToken, true},
		{"with the secret before this one", hookURL, path, path, oldHookToken, true},
		{"another host", "https://us1.example.com", path, path, hookToken, false},
		{"another query", hookURL, path + "?a=1", path + "?a=2", hookToken, false},
		{"another path", hookURL, path + "/a", path + "/b", hookToken, false},
		{"another secret", hookURL, path, path, hookToken[1:] + "0", false},
	} {
		w := d.ask(t, "POST", tt.target, anSMS, "Content-Type", formType, "X-Twilio-Signature", signTwilio(tt.token, tt.base+tt.signed, anSMS))
		if got := w.Code == 200; got != tt.good || got != (len(d.took()) == 1) || !tt.good && w.Code != 403 {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
	}
}

func TestWebhookGreetings(t *testing.T) {
	d := newDoor(t)
	ask := func(query string) *httptest.ResponseRecorder {
		return d.ask(t, "GET", "/whatsapp/src_ie1_whatsapp?"+query, "")
	}
	for _, token := range []string{"dwv_ie1_new", "dwv_ie1_old"} {
		w := ask("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=" + token)
		if w.Code != 200 || w.Body.String() != "1158201444" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") || d.pattern != "GET /whatsapp/{source}" {
			t.Errorf("handshake with %s: %d %q, pattern %s", token, w.Code, w.Body, d.pattern)
		}
	}
	for query, want := range map[string]int{
		"hub.mode=subscribe&hub.challenge=1&hub.verify_token=dwv_ie1_neq":                           403,
		"hub.mode=subscribe&hub.challenge=1":                                                        403,
		"hub.mode=subscribe&hub.challenge=1&hub.verify_token=":                                      403,
		"hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=dwv_ie1_new":                         403,
		"hub.mode=subscribe&hub.verify_token=dwv_ie1_new":                                           400,
		"hub.mode=subscribe&hub.verify_token=dwv_ie1_new&hub.challenge=%3Cscript%3E":                400,
		"hub.mode=subscribe&hub.verify_token=dwv_ie1_new&hub.challenge=" + strings.Repeat("1", 257): 400,
	} {
		if w := ask(query); w.Code != want {
			t.Errorf("%s: %d %s, want %d", query, w.Code, w.Body, want)
		}
	}
	if w := d.ask(t, "GET", "/whatsapp/src_us1_x?hub.mode=subscribe", ""); w.Code != 421 {
		t.Errorf("another region's: %d", w.Code)
	}
	if w := d.ask(t, "GET", "/twilio/src_ie1_twilio", ""); w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET to Twilio's path: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}

	w := d.ask(t, "OPTIONS", "/cloudevents/src_ie1_cloudevents", "", "WebHook-Request-Origin", "events.example.com", "WebHook-Request-Rate", "120")
	if h := w.Header(); w.Code != 200 || h.Get("WebHook-Allowed-Origin") != "events.example.com" || h.Get("WebHook-Allowed-Rate") != "*" || h.Get("Allow") != "OPTIONS, POST" {
		t.Errorf("CloudEvents' handshake: %d %v", w.Code, w.Header())
	}
	w = d.ask(t, "OPTIONS", "/cloudevents/src_ie1_cloudevents", "", "WebHook-Request-Origin", "a b")
	if w.Code != 200 || w.Header().Get("WebHook-Allowed-Origin") != "" {
		t.Errorf("an origin that is no name: %d %v", w.Code, w.Header())
	}
	if w := d.ask(t, "OPTIONS", "/cloudevents/src_ie1_nobody", ""); w.Code != 404 {
		t.Errorf("an unknown source: %d", w.Code)
	}
	if got := d.took(); len(got) != 0 {
		t.Errorf("greetings were kept: %q", got)
	}
}

func TestWebhookBodiesAreUnpackedAfterTheSignature(t *testing.T) {
	d := newDoor(t)
	pack := func(s string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(s))
		_ = z.Close()
		return b.String()
	}
	path := "/whatsapp/src_ie1_whatsapp"
	if w := d.signed(t, "whatsapp", path, pack(bodyOf("whatsapp"))); w.Code != 200 || len(d.took()) != 1 {
		t.Errorf("packed: %d %s", w.Code, w.Body)
	}
	bomb := pack(strings.Repeat(" ", 5<<20))
	if w := d.signed(t, "whatsapp", path, bomb); w.Code != 413 {
		t.Errorf("bomb: %d %s", w.Code, w.Body)
	}
	if w := d.ask(t, "POST", path, bomb, "X-Hub-Signature-256", hub(hookToken, strings.Repeat(" ", 5<<20))); w.Code != 403 {
		t.Errorf("a signature over what is inside: %d %s", w.Code, w.Body)
	}
	if w := d.signed(t, "whatsapp", path, pack(bodyOf("whatsapp"))[:20]); w.Code != 400 {
		t.Errorf("cut short: %d %s", w.Code, w.Body)
	}
}

func TestWebhooksAreSentAwayWhenTooMuchIsInFlight(t *testing.T) {
	d := newDoor(t)
	in := api.NewIngest(d.intake, d.intake, d.intake, api.IngestOptions{InFlightBytes: 1 << 10, URL: hookURL})
	h := api.NewWebhooks(in, d, api.TwilioWebhook())
	d.handler = h.First(http.NotFoundHandler())
	w := d.sms(t, "/twilio/src_ie1_twilio")
	if w.Code != 429 || w.Header().Get("Retry-After") == "" || reason(w) != "ingest.busy" {
		t.Errorf("%d %s, want 429 with Retry-After", w.Code, w.Body)
	}
}

func TestAKeyOpensItsOwnWebhookOnly(t *testing.T) {
	d := newDoor(t)
	for key, want := range map[string]int{serverKey: 403, "dwk_ie1_nobody": 401, otherKey: 421, brokenKey: 503} {
		w := d.ask(t, "POST", "/cloudevents/src_ie1_cloudevents", bodyOf("cloudevents"), "Authorization", "Bearer "+key)
		if w.Code != want || len(d.took()) != 0 {
			t.Errorf("%s: %d %s, want %d", key, w.Code, w.Body, want)
		}
	}
}

func TestWhatIsNoWebhookGoesOn(t *testing.T) {
	d := newDoor(t)
	for _, path := range []string{"/", "/twilio", "/twilio/", "/twilioo/src_ie1_twilio", "/api/twilio/x", "/metrics"} {
		if w := d.ask(t, "POST", path, ""); !d.reached || w.Code != http.StatusTeapot {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := d.ask(t, "POST", "/v1/track", anEvent, "Authorization", basic(serverKey)); w.Code != 200 || len(d.took()) != 1 {
		t.Errorf("the other ways in: %d %s", w.Code, w.Body)
	}
}

func TestSourcesOfVendorsWhoSign(t *testing.T) {
	w := newWorld(t)
	const sources = "/api/v1/tenants/acme/sources"
	made := func(r reply, status int) (id string) {
		t.Helper()
		if r.status != status || strings.Contains(string(r.body), hookToken) || strings.Contains(string(r.body), oldHookToken) {
			t.Fatalf("%d %s, want %d without the vendor's secret", r.status, r.body, status)
		}
		id, _ = r.json(t)["source"].(map[string]any)["id"].(string)
		return id
	}
	r := w.do("POST", sources, `{"adapter":"twilio","account_sid":"AC01","secret":"`+oldHookToken+`"}`)
	id := made(r, 201)
	if m := r.json(t); m["write_key"] != nil || m["verify_token"] != nil || m["source"].(map[string]any)["path"] != "/twilio/"+id ||
		m["source"].(map[string]any)["account_sid"] != "AC01" {
		t.Errorf("twilio: %s", r.body)
	}
	r = w.do("POST", sources+"/"+id+":rotate", `{"grace_seconds":60,"secret":"`+hookToken+`"}`)
	if made(r, 200) != id || r.json(t)["source"].(map[string]any)["old_key_valid_to"] == nil {
		t.Errorf("rotated: %s", r.body)
	}
	const meta = `{"adapter":"whatsapp","secret":"` + hookToken + `"}`
	r = w.do("POST", sources, meta, keyHeader, "k1")
	id = made(r, 201)
	token, _ := r.json(t)["verify_token"].(string)
	if !strings.HasPrefix(token, "dwv_ie1_") || r.json(t)["write_key"] != nil {
		t.Errorf("whatsapp: %s", r.body)
	}
	again := w.do("POST", sources, meta, keyHeader, "k1")
	if made(again, 201) != id || strings.Contains(string(again.body), token) {
		t.Errorf("a replay: %s", again.body)
	}
	list := w.do("GET", sources, "")
	if list.status != 200 || strings.Contains(string(list.body), token) || strings.Contains(string(list.body), hookToken) {
		t.Errorf("the list shows a secret: %s", list.body)
	}
	for body, why := range map[string]string{
		`{"adapter":"twilio"}`:                                        "source.secret_missing",
		`{"adapter":"twilio","secret":"kanarienvogel"}`:               "source.bad_secret",
		`{"adapter":"native","secret":"kanarienvogel-kanarienvogel"}`: "source.secret_unwanted",
		`{"adapter":"twilio","secret":["kanarienvogel"]}`:             "request.invalid",
		`{"adapter":"fax","secret":"kanarienvogel-kanarienvogel"}`:    "source.unknown_adapter",
	} {
		r := w.do("POST", sources, body)
		if r.problem(t) != why || r.status != 400 && r.status != 422 || strings.Contains(string(r.body), "kanarienvogel") {
			t.Errorf("%s: %d %s, want %s", body, r.status, r.body, why)
		}
	}
	if strings.Contains(w.log.String(), hookToken) || strings.Contains(w.log.String(), "kanarienvogel") {
		t.Error("the log holds a secret")
	}
}

// FuzzWebhooks: whatever comes unsigned, nothing is kept, nothing is redirected and nothing panics.
func FuzzWebhooks(f *testing.F) {
	for _, s := range []struct{ method, target, contentType, signature, body string }{
		{"POST", "/twilio/src_ie1_twilio", formType, "c2lnbmF0dXJl", anSMS},
		{"POST", "//twilio//src_ie1_twilio/%2e%2e/x?bodySHA256=00", "application/json", "", "[{}]"},
		{"GET", "/whatsapp/src_ie1_whatsapp?hub.mode=subscribe&hub.verify_token=x&hub.challenge=1", "", "sha256=00", ""},
		{"OPTIONS", "/cloudevents/src_ie1_cloudevents", "", "", ""},
		{"POST", "/sendgrid/src_us1_x?%zz", "", "\x1f\x8b", "\x1f\x8b\x08"},
	} {
		f.Add(s.method, s.target, s.contentType, s.signature, s.body)
	}
	d := newDoor(f)
	f.Fuzz(func(t *testing.T, method, target, contentType, signature, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" || !strings.HasPrefix(u.Path, "/") {
			return
		}
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Method, r.URL, r.RequestURI = method, u, target
		r.Header = http.Header{"Content-Type": {contentType}, "X-Twilio-Signature": {signature}, "X-Hub-Signature-256": {signature},
			"X-Twilio-Email-Event-Webhook-Signature": {signature}, "Webhook-Request-Origin": {contentType}, "Authorization": {"Bearer " + signature}}
		w := httptest.NewRecorder()
		d.reached = false
		d.handler.ServeHTTP(w, r)
		if took := d.took(); len(took) > 0 && signature != eventsKey {
			t.Fatalf("took %q", took)
		}
		if w.Code/100 == 3 {
			t.Fatalf("answered %d", w.Code)
		}
	})
}

// Nobody who sends CloudEvents sends one again that was answered 2xx, so a lone one that was not kept is
// answered 400; of a batch that was kept in part, what was not is named.
func TestCloudEventsThatAreNotKeptAreNamed(t *testing.T) {
	d := newDoor(t)
	const bad = `{"specversion":"0.3","id":"ce-2","type":"com.example.seen","source":"/crm"}`
	ask := func(media, body string) *httptest.ResponseRecorder {
		return d.ask(t, "POST", "/cloudevents/src_ie1_cloudevents", body, "Authorization", "Bearer "+eventsKey, "Content-Type", "application/cloudevents"+media+"+json")
	}
	if w := ask("", bad); w.Code != 400 || !strings.Contains(w.Body.String(), `"reason":"event.`) {
		t.Errorf("a lone event that can't be kept: %d %s", w.Code, w.Body)
	}
	if w := ask("-batch", "["+bodyOf("cloudevents")+","+bad+"]"); w.Code != 200 || !strings.Contains(w.Body.String(), `"refused":[{"index":1,"reason":"event.`) {
		t.Errorf("a batch with one that can't be kept: %d %s", w.Code, w.Body)
	}
	if w := ask("-batch", "["+bodyOf("cloudevents")+"]"); w.Code != 204 || w.Body.Len() > 0 {
		t.Errorf("a batch that is kept: %d %s", w.Code, w.Body)
	}
}
