package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	dataplane "domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/api"
)

// heards has one open notice of another region.
type heards struct{}

var anOpen = dataplane.Heard{Tenant: 1, ID: "hrd_aaaaaaaaaaaaaaaaaaaaaaaa", Source: "src_ie1_a", Notice: "ntc_aaaaaaaaaaaaaaaaaaaa", Subject: id.Subject{1}, Kind: "erasure",
	State: dataplane.HeardOpen, Reason: "subject.shared", At: 1, Entry: id.Entry{2}}

func (heards) HeardNotices(_ context.Context, c *tenant.Caller) ([]dataplane.Heard, error) {
	if c.Operator {
		return nil, nil
	}
	return []dataplane.Heard{anOpen}, nil
}

func (heards) CloseHeard(_ context.Context, _ *tenant.Caller, id string) (dataplane.Heard, error) {
	if id != anOpen.ID {
		return dataplane.Heard{}, fault.New(fault.NotFound, "heard.unknown", "there is no such notice here")
	}
	h := anOpen
	h.State, h.DoneAt = dataplane.HeardClosed, 2
	return h, nil
}

func TestWhatOtherRegionsToldIsListedAndClosed(t *testing.T) {
	w := newWorld(t)
	a := w.do("GET", "/api/v1/heard-notices", "")
	for _, want := range []string{`"state":"open"`, `"reason":"subject.shared"`, `"subject":"sub_`, `"tenant":"acme"`} {
		if a.status != 200 || !strings.Contains(string(a.body), want) {
			t.Errorf("no %s in %d %s", want, a.status, a.body)
		}
	}
	if a := w.do("POST", "/api/v1/heard-notices/"+anOpen.ID+":close", ""); a.status != 200 || !strings.Contains(string(a.body), `"state":"closed"`) {
		t.Errorf("close: %d %s", a.status, a.body)
	}
	if a := w.do("POST", "/api/v1/heard-notices/hrd_b:close", ""); a.status != 404 {
		t.Errorf("close another: %d %s", a.status, a.body)
	}
}

// hearer keeps the last notice that came.
type hearer struct {
	last atomic.Pointer[dataplane.NoticeIn]
	fail error
}

func (h *hearer) HearNotice(_ context.Context, _ *tenant.Source, n dataplane.NoticeIn) error {
	h.last.Store(&n)
	return h.fail
}

func tellIt(h http.Handler, key, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/v1/notices", strings.NewReader(body))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const aNotice = `{"id":"ntc_aaaaaaaaaaaaaaaaaaaa","notice":"erasure","subjects":["sub_aaaaaaaaaaaaaaaaaaaa"],"at":"2026-11-25T12:00:00Z"}`

func TestAnotherRegionTellsByItsSource(t *testing.T) {
	h := &hearer{}
	i := newIntake(api.IngestOptions{Notices: h})
	if w := tellIt(i.in, nativeKey, aNotice); w.Code != 200 || w.Body.String() != `{"id":"ntc_aaaaaaaaaaaaaaaaaaaa"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if n := h.last.Load(); n == nil || n.ID != "ntc_aaaaaaaaaaaaaaaaaaaa" || n.Kind != "erasure" || len(n.Subjects) != 1 {
		t.Fatalf("heard %+v", n)
	}
	h.last.Store(nil)
	for what, tt := range map[string]struct {
		key, body string
		status    int
	}{"no key": {"", aNotice, 401}, "no such key": {"dwk_ie1_none", aNotice, 401}, "another region's": {otherKey, aNotice, 421}, "no JSON": {nativeKey, "x", 400}, "a list": {nativeKey, "[" + aNotice + "]", 400},
		"too large": {nativeKey, `{"id":"` + strings.Repeat("a", 70_000) + `"}`, 413}} {
		if w := tellIt(i.in, tt.key, tt.body); w.Code != tt.status || h.last.Load() != nil {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	h.fail = fault.New(fault.Unavailable, "notice.later", "something is happening to the person")
	if w := tellIt(i.in, nativeKey, aNotice); w.Code != 503 {
		t.Errorf("later: %d", w.Code)
	}
	if w := tellIt(newIntake(api.IngestOptions{}).in, nativeKey, aNotice); w.Code != 404 {
		t.Errorf("a node that hears nothing: %d", w.Code)
	}
}

// Whatever comes, nothing is heard of it but what a notice says, and nothing of it is answered.
func FuzzNoticeOfARegion(f *testing.F) {
	for _, s := range []string{aNotice, `{}`, `{"id":1}`, `{"subjects":[null]}`, "\xff", `{"id":"a","id":"b"}`} {
		f.Add(s)
	}
	h := &hearer{}
	i := newIntake(api.IngestOptions{Notices: h})
	f.Fuzz(func(t *testing.T, body string) {
		h.last.Store(nil)
		w := tellIt(i.in, nativeKey, body)
		switch n := h.last.Load(); {
		case w.Code == 200 && n == nil, w.Code >= 500, w.Code != 200 && n != nil:
			t.Errorf("%d to %q, heard %+v", w.Code, body, n)
		}
	})
}
