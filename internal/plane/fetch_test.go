package plane_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/twilio"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// vendorStub is a vendor that keeps pictures by their address.
type vendorStub struct {
	mu    sync.Mutex
	src   *tenant.Source
	has   map[string][]byte
	fail  error
	asked []string
	off   bool
	later error // of the body, after its first bytes
}

func (v *vendorStub) Fetches(source string) bool { return source == v.src.ID && !v.off }

func (v *vendorStub) Wanted(_, kind string, data []byte) map[int]string {
	return twilio.MediaOf(kind, data)
}

func (v *vendorStub) Source(string) (*tenant.Source, error) { return v.src, nil }

func (v *vendorStub) Fetch(_ context.Context, source, address string) (plane.Fetched, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = append(v.asked, address)
	if v.fail != nil {
		return plane.Fetched{}, v.fail
	}
	b, ok := v.has[address]
	if !ok {
		return plane.Fetched{}, fault.New(fault.Invalid, "fetch.status_410", "gone")
	}
	if v.later != nil {
		return plane.Fetched{Type: "image/jpeg", Length: -1, Body: io.NopCloser(io.MultiReader(bytes.NewReader(b), iotest.ErrReader(v.later)))}, nil
	}
	return plane.Fetched{Type: "image/jpeg", Length: int64(len(b)), Body: io.NopCloser(bytes.NewReader(b))}, nil
}

// withVendor gives w a source of Twilio's whose media are fetched.
func withVendor(t *testing.T, w *world) *vendorStub {
	w.rules = exampleRules(t)
	w.fetcher = &vendorStub{src: &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_twilio", Adapter: term.AdapterTwilio, Service: "messaging", Account: "AC1", Trust: term.Server},
		has: map[string][]byte{"https://api.twilio.com/m0": sound(100_000), "https://api.twilio.com/m1": sound(10)}}
	w.restart()
	return w.fetcher
}

func (w *world) receive(src *tenant.Source, sid string, media ...string) {
	w.t.Helper()
	form := url.Values{"MessageSid": {sid}, "SmsStatus": {"received"}, "From": {"+353851234567"}, "To": {"+447700900001"}, "Body": {"look"}}
	for i, m := range media {
		form.Set(fmt.Sprint("MediaUrl", i), m)
	}
	w.receiveForm(src, form)
}

func (w *world) receiveForm(src *tenant.Source, form url.Values) {
	w.t.Helper()
	b, err := twilio.Decode("application/x-www-form-urlencoded", []byte(form.Encode()), ingest.Env{ReceivedAt: w.now, Kinds: w.rules})
	if err != nil {
		w.t.Fatal(err)
	}
	defer b.Release()
	if r, err := w.Ingest(context.Background(), src, b); err != nil || r.Accepted+r.Duplicate != 1 {
		w.t.Fatalf("%+v, %v", r, err)
	}
}

func (w *world) fetchAll() (n int) {
	w.t.Helper()
	for {
		some, err := w.FetchOnce(context.Background())
		if err != nil {
			w.t.Fatal(err)
		}
		if n += some; some == 0 {
			return n
		}
	}
}

// left is how much is still to be fetched.
func (w *world) left() (n int64) {
	w.t.Helper()
	if err := w.db.View(context.Background(), func(tx store.Tx) error {
		return tx.(sqlstore.Conn).Query(`SELECT count(*) FROM media_fetch`, func(r sqlstore.Row) error { n = r.Int(0); return nil })
	}); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func TestPicturesAreFetchedAfterTheWebhook(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		v := withVendor(t, w)
		before := w.leaves()
		w.receive(v.src, "SM1", "https://api.twilio.com/m0", "https://api.twilio.com/m1")
		w.receive(v.src, "SM1", "https://api.twilio.com/m0", "https://api.twilio.com/m1") // a retry
		if n := w.leaves(); n != before+2 {
			t.Errorf("%d ledger entries for the message, want one on it and one on the fetch", n-before)
		}
		if len(v.asked) != 0 || w.left() != 2 {
			t.Errorf("asked %v before it was due; %d are left", v.asked, w.left())
		}
		w.restart()
		if n := w.fetchAll(); n != 2 || w.left() != 0 {
			t.Errorf("%d were tried, %d are left", n, w.left())
		}
		got := w.records(w.find("phone", "+353851234567"))
		if len(got) != 1 || len(got[0].Media) != 2 || got[0].Media[0].Type != "image/jpeg" {
			t.Fatalf("records %+v", got)
		}
		for i, m := range got[0].Media {
			w.wantMedia(plane.MediaKept{ID: m.ID, Record: got[0].ID}, v.has[fmt.Sprintf("https://api.twilio.com/m%d", i)])
		}
		if got := w.outcomes(""); got["fetched"] != 2 || got["accepted"] != 2 || got["failed"] != 0 {
			t.Errorf("counted %v", got)
		}
		w.receive(v.src, "SM1", "https://api.twilio.com/m0", "https://api.twilio.com/m1")
		if n := w.fetchAll(); n != 0 {
			t.Errorf("a late retry of the webhook had %d fetched again", n)
		}
	})
}

func TestAFetchIsTriedAgainLaterAndAfterARestart(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		v := withVendor(t, w)
		w.receive(v.src, "SM1", "https://api.twilio.com/m0")
		v.fail = fault.New(fault.Unavailable, "fetch.status_503", "busy")
		pause := 30 * time.Second
		for range 4 {
			if n := w.fetchAll(); n != 1 {
				t.Fatalf("%d were tried, want 1", n)
			}
			w.restart()
			w.now = w.now.Add(pause - time.Second)
			if n := w.fetchAll(); n != 0 {
				t.Fatalf("it was tried again before %v were over", pause)
			}
			w.now = w.now.Add(time.Second)
			pause *= 2
		}
		v.fail = nil
		if n := w.fetchAll(); n != 1 || w.left() != 0 || len(v.asked) != 5 {
			t.Errorf("%d were tried, %d are left, asked %v", n, w.left(), v.asked)
		}
		if got := w.outcomes(""); got["fetched"] != 1 {
			t.Errorf("counted %v", got)
		}
	})
}

func TestAFetchEndsAndSaysWhy(t *testing.T) {
	for _, tt := range []struct {
		name, reason string
		meanwhile    func(w *world, v *vendorStub)
		tries        int
	}{
		{"gone at the vendor", "fetch.status_410", func(w *world, v *vendorStub) { clear(v.has) }, 1},
		{"never there", "fetch.status_404", func(w *world, v *vendorStub) { v.fail = fault.New(fault.Unavailable, "fetch.status_404", "") }, 16},
		{"a later page elsewhere", "fetch.host", func(w *world, v *vendorStub) { v.later = fault.New(fault.Invalid, "fetch.host", "") }, 1},
		{"a later page away", "fetch.status_503", func(w *world, v *vendorStub) { v.later = fault.New(fault.Unavailable, "fetch.status_503", "") }, 16},
		{"too large", "media.too_large", func(w *world, v *vendorStub) { w.mediaBytes = 1000; w.restart() }, 1},
		{"switched off", "fetch.off", func(w *world, v *vendorStub) { v.off = true }, 0},
		{"the person erased", "subject.erased", func(w *world, v *vendorStub) { w.erase(w.find("phone", "+353851234567")) }, 0},
		{"other content sent", "media.differs", func(w *world, v *vendorStub) { w.keep(upload("SM1", sound(5))) }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "")
			v := withVendor(t, w)
			w.receive(v.src, "SM1", "https://api.twilio.com/m0")
			tt.meanwhile(w, v)
			for range 20 {
				w.fetchAll()
				w.now = w.now.Add(7 * time.Hour)
			}
			if got := w.outcomes(""); got["failed "+tt.reason] != 1 || got["fetched"] != 0 || w.left() != 0 || len(v.asked) != tt.tries {
				t.Errorf("counted %v, %d left, asked %d times, want failed %s after %d", got, w.left(), len(v.asked), tt.reason, tt.tries)
			}
		})
	}
}

func TestOnlyWhatIsSwitchedOnIsFetched(t *testing.T) {
	w := newWorld(t, "")
	v := withVendor(t, w)
	other := *v.src
	other.ID = "src_other"
	w.receive(&other, "SM1", "https://api.twilio.com/m0")
	w.receive(v.src, "SM2")
	if n := w.fetchAll(); n != 0 || w.left() != 0 {
		t.Errorf("%d were fetched, %d are left", n, w.left())
	}
}

func TestAFetchIsMadeWhateverWriteFails(t *testing.T) {
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		for step := 1; ; step++ {
			w := newWorld(t, "")
			v := withVendor(t, w)
			w.receive(v.src, "SM1", "https://api.twilio.com/m0")
			w.close()
			var f *storetest.Faults
			w.open(func(db store.DB) store.DB { f = storetest.NewFaults(db); return f })
			f.FailAt(step, when)
			for range 5 { // nobody waits for it, so what failed is looked at again later
				_, _ = w.FetchOnce(context.Background())
				w.now = w.now.Add(time.Hour)
			}
			got := w.records(w.find("phone", "+353851234567"))
			if len(got) != 1 || len(got[0].Media) != 1 || w.left() != 0 {
				t.Errorf("write %d (%s): records %+v, %d left", step, when, got, w.left())
			}
			if !f.Fired() {
				if step < 6 {
					t.Errorf("only %d writes were seen", step-1)
				}
				break
			}
			w.close()
		}
	}
}

// The webhook of a recording names nobody but its call. What is fetched is the caller's all the same,
// whichever webhook comes first, and goes when they go.
func TestARecordingGoesWithItsCaller(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		v := withVendor(t, w)
		recording := func(sid, call, at string) {
			w.receiveForm(v.src, url.Values{"RecordingSid": {sid}, "RecordingStatus": {"completed"}, "CallSid": {call}, "AccountSid": {"AC1"}, "RecordingUrl": {at}})
			w.fetchAll()
		}
		recording("RE1", "CA1", "https://api.twilio.com/m0")
		w.receiveForm(v.src, url.Values{"CallSid": {"CA1"}, "CallStatus": {"completed"}, "Direction": {"inbound"}, "From": {"+353851234567"},
			"To": {"+447700900001"}, "AccountSid": {"AC1"}, "SequenceNumber": {"1"}, "CallbackSource": {"call-progress-events"}})
		recording("RE2", "CA1", "https://api.twilio.com/m1")
		recording("RE3", "", "https://api.twilio.com/m0") // of a conference: nobody's
		if w.left() != 0 || len(v.asked) != 2 {
			t.Fatalf("%d left, asked %v", w.left(), v.asked)
		}
		var kept []plane.MediaKept
		sizes := map[int64]bool{}
		for _, r := range w.records(w.find("phone", "+353851234567")) {
			for _, m := range r.Media {
				kept = append(kept, plane.MediaKept{ID: m.ID, Record: r.ID})
				sizes[m.Bytes] = true
			}
		}
		if len(kept) != 2 || !sizes[100_000] || !sizes[10] {
			t.Fatalf("%d recordings of the caller, sizes %v", len(kept), sizes)
		}
		w.erase(w.find("phone", "+353851234567"))
		for _, m := range kept {
			_, err := w.readMedia(m, "")
			wantKind(t, "read", err, fault.Gone, "subject.erased")
		}
	})
}
