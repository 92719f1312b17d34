package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// An answer is one HTTP response, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, tail(string(a.body), 600)) }

// want fails t unless the answer has the status.
func (a answer) want(t testing.TB, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("answer %v, want %d", a, status)
	}
	return a
}

// into decodes the body.
func (a answer) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%v: %v", a, err)
	}
}

// problem is an RFC 9457 document, as far as the tests use it.
type problem struct {
	Type, Title, Detail, Reason, Hint, URL, Receipt string
	Status                                          int
	Subjects                                        []string
}

func (a answer) problem(t testing.TB) (p problem) {
	t.Helper()
	if ct := a.header.Get("Content-Type"); !strings.HasPrefix(ct, "application/problem+json") {
		t.Errorf("answer %v has Content-Type %q, want application/problem+json", a, ct)
	}
	a.into(t, &p)
	return p
}

// header is what a request carries beyond the method, the path and the body.
type header map[string]string

// try sends one request. err is trouble on the wire: no answer was read.
func (r *region) try(method, path string, h header, body []byte) (answer, error) {
	req, err := http.NewRequest(method, r.URL+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for k, v := range h {
		req.Header.Set(k, v)
	}
	res, err := r.w.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{res.StatusCode, res.Header, b}
	if a.status >= 400 {
		r.w.keep(a)
	}
	return a, nil
}

// send is try, where trouble on the wire fails t.
func (r *region) send(t testing.TB, method, path string, h header, body []byte) answer {
	t.Helper()
	a, err := r.try(method, path, h, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// insist sends as the SDKs do: it repeats the same body on 408, 429, 5xx and when no answer
// came, and fails t when the answer is final and not 2xx.
func (r *region) insist(t testing.TB, method, path string, h header, body []byte) answer {
	t.Helper()
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); pause(15 * time.Millisecond) {
		a, err := r.try(method, path, h, body)
		switch {
		case err != nil:
			last = err.Error()
		case a.status/100 == 2:
			return a
		case a.status == 408 || a.status == 429 || a.status >= 500:
			last = a.String()
		default:
			t.Errorf("%s %s: %v, which makes a client throw its data away", method, path, a)
			return a
		}
	}
	t.Errorf("%s %s: no success in %v; last: %s", method, path, patience, last)
	return answer{}
}

func basic(key string) header {
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(key, "")
	return header{"Authorization": req.Header.Get("Authorization"), "Content-Type": "application/json"}
}

func bearer(token string) header {
	return header{"Authorization": "Bearer " + token, "Content-Type": "application/json"}
}

type m = map[string]any

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// segment sends one call or batch with the region's server key.
func (r *region) segment(t testing.TB, path string, body any) answer {
	t.Helper()
	return r.send(t, "POST", path, basic(r.Sources["segment"].WriteKey), encode(t, body)).want(t, 200)
}

// records sends native records as a JSON array.
func (r *region) native(t testing.TB, records ...m) answer {
	t.Helper()
	return r.send(t, "POST", "/v1/records", bearer(r.Sources["native"].Token), encode(t, records)).want(t, 200)
}

// api calls the tenant API with the region's token.
func (r *region) api(t testing.TB, method, path string, body any) answer {
	t.Helper()
	var b []byte
	if body != nil {
		b = encode(t, body)
	}
	return r.send(t, method, "/api/v1"+path, bearer(r.APIToken), b)
}

// lookup asks for the subject of one identifier and returns the answer as it is.
func (r *region) lookup(t testing.TB, typ, value string) answer {
	t.Helper()
	return r.api(t, "POST", "/subjects:find", m{"identifiers": []m{{"type": typ, "value": value}}})
}

// find returns the subject of one identifier.
func (r *region) find(t testing.TB, typ, value string) string {
	t.Helper()
	var found struct{ Subject string }
	r.lookup(t, typ, value).want(t, 200).into(t, &found)
	if !strings.HasPrefix(found.Subject, "sub_") {
		t.Fatalf("find answers subject %q, want sub_…", found.Subject)
	}
	return found.Subject
}

// record is one record as the tenant reads it.
type record struct {
	ID         string          `json:"id"`
	ClientID   string          `json:"client_id"`
	Kind       string          `json:"kind"`
	Service    string          `json:"service"`
	OccurredAt time.Time       `json:"occurred_at"`
	ReceivedAt time.Time       `json:"received_at"`
	Categories []string        `json:"categories"`
	Data       json.RawMessage `json:"data"`
}

type page struct {
	Records []record `json:"records"`
	Next    string   `json:"next"`
}

// records reads all records of a subject, newest first, page by page.
func (r *region) records(t testing.TB, subject string) (all []record) {
	t.Helper()
	after := ""
	for {
		var p page
		r.api(t, "GET", "/subjects/"+subject+"/records?limit=1000&after="+url.QueryEscape(after), nil).want(t, 200).into(t, &p)
		all = append(all, p.Records...)
		if p.Next == "" {
			return all
		}
		after = p.Next
	}
}

// byClientID returns the records that the client named so; none when the answer is 404.
func (r *region) byClientID(t testing.TB, id string) []record {
	t.Helper()
	a := r.api(t, "GET", "/records/by-client-id/"+url.PathEscape(id), nil)
	if a.status == 404 {
		return nil
	}
	var p page
	a.want(t, 200).into(t, &p)
	return p.Records
}

// receipt is what an erasure answers.
type receipt struct {
	Receipt         string
	ErasedAt        time.Time `json:"erased_at"`
	UnrecoverableBy time.Time `json:"unrecoverable_by"`
	Records         int
	Already         bool
	Ledger          struct {
		Entry string
		Index *int64
	}
}

// erase erases the subject.
func (r *region) erase(t testing.TB, subject string, suppress bool) (got receipt) {
	t.Helper()
	r.api(t, "POST", "/subjects/"+subject+":erase", m{"reason": "request", "suppress": suppress}).want(t, 200).into(t, &got)
	if got.Receipt == "" || got.ErasedAt.IsZero() || !got.UnrecoverableBy.After(got.ErasedAt) || !strings.HasPrefix(got.Ledger.Entry, "led_") {
		t.Fatalf("erasure of %s answers %+v", subject, got)
	}
	return got
}
