package app

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/web/guard"
)

// Bounds of what the demo's recipient takes and remembers.
const (
	demoBodyBytes = 16 << 20
	demoLines     = 6    // of each flow's newest
	demoLineBytes = 4096 // a longer line is shown up to here
	demoIDs       = 1000
	demoClock     = 5 * time.Minute // how far off a delivery's time may be
)

// demoRecipient stands for the recipients of the demo's flows: under /demo/ it takes deliveries as an
// endpoint of theirs would, and shows what came. It knows nothing of a region but what was sent to it.
// It keeps the newest lines in memory, which are of made-up people.
type demoRecipient struct {
	programme string
	region    string
	since     time.Time
	names     map[string]string // of recipients, by id
	flows     []demoFlow

	mu      sync.Mutex // guards what follows
	secrets map[string]string
	got     map[string]*demoGot // by flow
	seen    []string            // ids of deliveries, the newest last
}

// demoGot is what came of one flow.
type demoGot struct {
	Deliveries, Records int
	Form, Purpose       string
	Entry, ID           string // of the newest delivery
	At                  time.Time
	Lines               []string // the newest last
}

// ServeHTTP implements http.Handler.
func (d *demoRecipient) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to := strings.TrimPrefix(r.URL.Path, "/demo/")
	switch {
	case to == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		d.page(w)
	case r.Method == http.MethodPost && d.names[to] != "":
		if err := d.take(w, r, to); err != nil {
			guard.Fail(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		guard.Fail(w, fault.New(fault.NotFound, "path.unknown", "there is nothing here").WithHint("GET /demo/ shows what the demo's recipient got"))
	}
}

// take verifies a delivery and keeps some of it; what comes again it acknowledges and throws away.
func (d *demoRecipient) take(w http.ResponseWriter, r *http.Request, to string) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, demoBodyBytes))
	if err != nil {
		return fault.New(fault.Invalid, "demo.body", "the delivery can't be read").Because(err)
	}
	flow, id := r.Header.Get("Domicile-Flow"), r.Header.Get("Webhook-Id")
	d.mu.Lock()
	defer d.mu.Unlock()
	if !demoSigned(d.secrets[to], r.Header, body, time.Now()) {
		return fault.New(fault.Unauthenticated, "demo.signature", "the signature is not that of this delivery")
	}
	if !slices.ContainsFunc(d.flows, func(f demoFlow) bool { return f.id == flow }) {
		return fault.New(fault.Invalid, "demo.flow", "that is none of the demo's flows")
	}
	if slices.Contains(d.seen, id) {
		return nil
	}
	d.seen = append(d.seen[max(0, len(d.seen)-demoIDs+1):], id)
	g := d.got[flow]
	if g == nil {
		g = &demoGot{}
		d.got[flow] = g
	}
	g.Deliveries++
	g.Form, g.Purpose, g.Entry, g.ID, g.At = r.Header.Get("Domicile-Form"), r.Header.Get("Domicile-Purpose"), r.Header.Get("Domicile-Entry"), id, time.Now().UTC()
	for line := range bytes.Lines(body) {
		g.Records++
		g.Lines = append(g.Lines, string(bytes.TrimSpace(line)))
	}
	if over := len(g.Lines) - demoLines; over > 0 {
		g.Lines = slices.Clone(g.Lines[over:])
	}
	return nil
}

// shown is a line of JSON as the page has it.
func shown(line string, spread bool) string {
	var b bytes.Buffer
	if spread && json.Indent(&b, []byte(line), "", "  ") == nil {
		line = b.String()
	}
	if len(line) > demoLineBytes {
		line = strings.ToValidUTF8(line[:demoLineBytes], "") + " …"
	}
	return line
}

// demoSigned verifies as any recipient would (Standard Webhooks, "Verifying signatures").
func demoSigned(secret string, h http.Header, body []byte, now time.Time) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	at, terr := strconv.ParseInt(h.Get("Webhook-Timestamp"), 10, 64)
	if err != nil || terr != nil || len(key) == 0 || now.Sub(time.Unix(at, 0)).Abs() > demoClock {
		return false
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(h.Get("Webhook-Id") + "." + strconv.FormatInt(at, 10) + "."))
	_, _ = mac.Write(body)
	want := mac.Sum(nil)
	for _, s := range strings.Fields(h.Get("Webhook-Signature")) {
		version, text, _ := strings.Cut(s, ",")
		if got, err := base64.StdEncoding.DecodeString(text); err == nil && version == "v1" && hmac.Equal(got, want) {
			return true
		}
	}
	return false
}
