package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A recipient takes the deliveries of flows and keeps every byte of them. At each request it asks the
// region whether the decision is in the ledger already.
type recipient struct {
	t      *testing.T
	url    string
	ie1    func() *region // whose ledger it asks; nil while nothing can have arrived
	behave func(w http.ResponseWriter, r *http.Request) (taken bool)

	mu      sync.Mutex
	secrets map[string]string
	all     []*arrival
}

// arrival is one request, whole or not.
type arrival struct {
	to         string // the recipient's id
	at         time.Time
	id         string
	seq, count int
	attempt    int
	head       http.Header
	body       []byte
	whole      bool
	entered    bool // its entry was found
	taken      bool // it was acknowledged
}

// arrived is one line of a delivery.
type arrived struct {
	ID, Kind string
	Data     json.RawMessage
}

// newRecipient answers under /ID for each recipient, with buffers of the size given, 0 for the system's.
func newRecipient(t *testing.T, buffer int) *recipient {
	t.Helper()
	rc := &recipient{t: t, secrets: map[string]string{}}
	conf := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		if buffer == 0 {
			return nil
		}
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, buffer)
		})
		return errors.Join(err, failed)
	}}
	l, err := conf.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rc.url = "http://" + l.Addr().String()
	s := &http.Server{Handler: rc}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return rc
}

// destinations points recipients here.
func (rc *recipient) destinations(ids ...string) setting {
	return func(w *world) {
		for _, id := range ids {
			w.args = append(w.args, "--destination", id+"="+rc.url+"/"+id)
		}
	}
}

// meet learns the secrets of w's up.json, and whom to ask.
func (rc *recipient) meet(w *world) {
	rc.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "up.json"))
	var up struct {
		Destinations []struct{ Recipient, Secret string }
	}
	if err = errors.Join(err, json.Unmarshal(text, &up)); err != nil || len(up.Destinations) == 0 {
		rc.t.Fatalf("up.json has no destinations: %v", err)
	}
	ie1 := w.region("ie1")
	rc.mu.Lock()
	defer rc.mu.Unlock()
	for _, d := range up.Destinations {
		rc.secrets[d.Recipient] = d.Secret
	}
	rc.ie1 = func() *region { return ie1 }
}

// ServeHTTP implements http.Handler.
func (rc *recipient) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("domicile-notice") != "" { // whom to forget: tests of their own look at these
		_, _ = io.Copy(io.Discard, r.Body)
		return
	}
	a := &arrival{to: strings.TrimPrefix(r.URL.Path, "/"), at: time.Now(), id: r.Header.Get("webhook-id"), head: r.Header.Clone()}
	for name, n := range map[string]*int{"domicile-sequence": &a.seq, "domicile-records": &a.count, "domicile-attempt": &a.attempt} {
		*n, _ = strconv.Atoi(r.Header.Get(name))
	}
	rc.mu.Lock()
	rc.all = append(rc.all, a)
	behave := rc.behave
	rc.mu.Unlock()
	rc.ask(a)
	r.Body = &tap{rc: rc, a: a, in: r.Body}
	taken := true
	if behave == nil {
		_, _ = io.Copy(io.Discard, r.Body)
	} else {
		taken = behave(w, r)
	}
	rc.mu.Lock()
	a.taken = taken && a.whole
	rc.mu.Unlock()
}

// tap keeps what is read of a body.
type tap struct {
	rc *recipient
	a  *arrival
	in io.ReadCloser
}

func (b *tap) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	b.rc.mu.Lock()
	defer b.rc.mu.Unlock()
	b.a.body = append(b.a.body, p[:n]...)
	if err == io.EOF {
		b.a.whole = true
		if bad := b.rc.verify(b.a); bad != nil {
			b.rc.t.Errorf("delivery %s to %s: %v", b.a.id, b.a.to, bad)
		}
	}
	return n, err
}

func (b *tap) Close() error { return b.in.Close() }

// verify checks the signature as Standard Webhooks has it. rc.mu is held.
func (rc *recipient) verify(a *arrival) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(rc.secrets[a.to], "whsec_"))
	if err != nil || len(key) == 0 {
		return errors.New("nobody told this recipient's secret")
	}
	at, err := strconv.ParseInt(a.head.Get("webhook-timestamp"), 10, 64)
	if err != nil || a.at.Sub(time.Unix(at, 0)).Abs() > 5*time.Minute {
		return fmt.Errorf("the timestamp is %q", a.head.Get("webhook-timestamp"))
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", a.id, at, a.body)
	if got := a.head.Get("webhook-signature"); got != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
		return fmt.Errorf("the signature %q is not that of the body", got)
	}
	if n := bytes.Count(a.body, []byte("\n")); n != a.count {
		return fmt.Errorf("%d lines, and it says %d", n, a.count)
	}
	return nil
}

// ask looks for a's entry in the ledger. A node that was killed meanwhile is asked again by checkEntries.
func (rc *recipient) ask(a *arrival) {
	rc.mu.Lock()
	ie1 := rc.ie1
	rc.mu.Unlock()
	if ie1 == nil {
		rc.t.Errorf("delivery %s came before anything was started", a.id)
		return
	}
	got, err := ie1().try("GET", "/api/v1/ledger/entries/"+a.head.Get("domicile-entry"), bearer(ie1().APIToken), nil)
	if err != nil || got.status >= 500 {
		return
	}
	var v entryView
	var entry struct {
		Kind string
		At   time.Time
		Body struct {
			Decision, Flow, Recipient, Purpose, Form, Programme, Delivery string
			Seq, Attempt, Records                                         int
		}
	}
	if got.status != 200 || json.Unmarshal(got.body, &v) != nil || json.Unmarshal(v.Entry, &entry) != nil {
		rc.t.Errorf("the entry of delivery %s to %s, attempt %d: %v", a.id, a.to, a.attempt, got)
		return
	}
	b, h := entry.Body, a.head
	if entry.Kind != "flow.decided" || b.Decision != "permit" || b.Delivery != a.id || b.Recipient != a.to || b.Seq != a.seq || b.Attempt != a.attempt || b.Records != a.count ||
		b.Flow != h.Get("domicile-flow") || b.Form != h.Get("domicile-form") || b.Purpose != h.Get("domicile-purpose") || b.Programme != h.Get("domicile-programme") || entry.At.After(a.at) {
		rc.t.Errorf("the entry %s is not that of delivery %s, attempt %d, at %v: %v", v.Entry, a.id, a.attempt, a.at, h)
	}
	rc.mu.Lock()
	a.entered = true
	rc.mu.Unlock()
}

// checkEntries asks for the entries that couldn't be asked for when the deliveries came.
func (rc *recipient) checkEntries() {
	rc.t.Helper()
	for _, a := range rc.arrivals("") {
		if !a.entered {
			if rc.ask(a); !a.entered {
				rc.t.Errorf("delivery %s, attempt %d, has no entry", a.id, a.attempt)
			}
		}
	}
}

// arrivals returns what came for a recipient so far, "" for all.
func (rc *recipient) arrivals(to string) (list []*arrival) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	for _, a := range rc.all {
		if to == "" || a.to == to {
			list = append(list, a)
		}
	}
	return list
}

// bytesOf is everything that came for a recipient, heads included.
func (rc *recipient) bytesOf(to string) (all []byte) {
	for _, a := range rc.arrivals(to) {
		rc.mu.Lock()
		all = append(fmt.Appendf(all, "%v\n", a.head), a.body...)
		rc.mu.Unlock()
	}
	return all
}

// has says whether some text came for a recipient.
func (rc *recipient) has(to, text string) bool { return bytes.Contains(rc.bytesOf(to), []byte(text)) }

// lines are those of a whole body.
func (a *arrival) lines(t testing.TB) (list []arrived) {
	t.Helper()
	for line := range bytes.Lines(a.body) {
		var x arrived
		if err := json.Unmarshal(line, &x); err != nil {
			t.Errorf("delivery %s: a line is no JSON: %v", a.id, err)
		}
		list = append(list, x)
	}
	return list
}

// inSequence wants first arrivals of deliveries to be numbered 1, 2, 3 …, and what comes again to be
// the same delivery with nothing more in it.
func (rc *recipient) inSequence(to string) {
	rc.t.Helper()
	first := map[string]*arrival{}
	next := 1
	for _, a := range rc.arrivals(to) {
		was := first[a.id]
		if was == nil {
			if a.seq != next {
				rc.t.Errorf("to %s: delivery %s has number %d, want %d", to, a.id, a.seq, next)
			}
			next = a.seq + 1
			first[a.id] = a
			continue
		}
		if a.seq != was.seq || a.seq != next-1 {
			rc.t.Errorf("to %s: delivery %s came again as number %d after %d had begun; it was %d", to, a.id, a.seq, next-1, was.seq)
		}
		if was.taken && a.seq != next-1 {
			rc.t.Errorf("to %s: delivery %s came after it was over", to, a.id)
		}
		if !a.whole {
			continue
		}
		if !was.whole {
			first[a.id] = a
			continue
		}
		for line := range bytes.Lines(a.body) {
			if !bytes.Contains(was.body, line) {
				rc.t.Errorf("to %s: attempt %d of delivery %s has a line that attempt %d had not", to, a.attempt, a.id, was.attempt)
			}
		}
	}
}
