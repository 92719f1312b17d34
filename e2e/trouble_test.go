package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A trouble is what can happen to a request between its sender and the region. What it answers,
// hides or delays, the sender can't tell from the region's own doing.
type trouble struct {
	name      string
	status    int           // what is answered; 0 is nothing
	before    bool          // the region gets the request before the sender hears of trouble
	after     time.Duration // the region gets it so long after the sender heard of trouble; 0 is never
	hang      bool          // nothing happens until the sender gives up; else the connection breaks
	retryable bool          // rudder-sdk-node sends such a request again
}

// troubles are those that protocols and their vendors name: refusals for now, gateways that give up,
// timeouts, lost answers, and a request that arrives behind its own repetition.
var troubles = func() (all []trouble) {
	for _, status := range []int{408, 410, 429, 500, 502, 503, 504} {
		all = append(all, trouble{name: strconv.Itoa(status), status: status, retryable: status != 408 && status != 410})
	}
	return append(all,
		trouble{name: "reset", retryable: true},
		trouble{name: "lost-answer", before: true, retryable: true},
		trouble{name: "timeout", hang: true},
		trouble{name: "timeout-after-delivery", hang: true, before: true},
		trouble{name: "502-after-delivery", status: 502, before: true, retryable: true},
		trouble{name: "504-before-delivery", status: 504, after: 600 * time.Millisecond, retryable: true})
}()

// A road leads to the region, with trouble on it for the first requests.
type road struct {
	*httptest.Server
	to *region

	late sync.WaitGroup // requests that arrive after their sender heard of trouble

	mu    sync.Mutex
	ahead []trouble // guarded by mu
}

// newRoad has the troubles in turn, one for each request, and then none.
func newRoad(t *testing.T, to *region, ahead ...trouble) *road {
	t.Helper()
	r := &road{to: to, ahead: ahead}
	r.Server = httptest.NewServer(r)
	t.Cleanup(func() {
		r.late.Wait()
		r.Close()
	})
	return r
}

// ServeHTTP lets one request pass, or not.
func (r *road) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.mu.Lock()
	var x *trouble
	if len(r.ahead) > 0 {
		x, r.ahead = &r.ahead[0], r.ahead[1:]
	}
	r.mu.Unlock()
	if x == nil {
		a := r.pass(req, body)
		for k, vs := range a.header {
			w.Header()[k] = vs
		}
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body)
		return
	}
	if x.before {
		r.pass(req, body)
	}
	if x.after > 0 {
		r.late.Add(1)
		go func() {
			defer r.late.Done()
			pause(x.after)
			r.pass(req, body)
		}()
	}
	switch {
	case x.hang:
		<-req.Context().Done()
		panic(http.ErrAbortHandler)
	case x.status == 0:
		panic(http.ErrAbortHandler) // the connection breaks
	case x.status == http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(x.status)
}

// pass sends the request on as it came, under the name that the sender knows.
func (r *road) pass(req *http.Request, body []byte) answer {
	out, err := http.NewRequest(req.Method, r.to.URL+req.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return answer{status: 599, body: []byte(err.Error())}
	}
	out.Header = req.Header.Clone()
	out.Host = req.Host
	res, err := r.to.w.client.Do(out)
	if err != nil {
		return answer{status: 599, body: []byte(err.Error())}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{status: 599, body: []byte(err.Error())}
	}
	return answer{res.StatusCode, res.Header, b}
}

// patient is a sender that waits for an answer as long as the tests let it, and no longer.
var patient = &http.Client{Timeout: 400 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}

// resend sends the same bytes under the same headers until the answer is 2xx, as every vendor of
// webhooks does, whatever else the answer is, and once more as those do whose last answer was lost.
func (r *road) resend(t *testing.T, path string, h header, body []byte) {
	t.Helper()
	var last string
	for n, good := 0, 0; good < 2; n++ {
		if n == 20 {
			t.Errorf("POST %s: given up; last %s", path, last)
			return
		}
		req, err := http.NewRequest("POST", r.URL+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range h {
			req.Header.Set(k, v)
		}
		res, err := patient.Do(req)
		if err != nil {
			last = err.Error()
			continue
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if last = fmt.Sprintf("%d %s", res.StatusCode, b); res.StatusCode/100 == 2 {
			good++
		}
	}
}

// once wants each id to be one record, and says what happened otherwise.
func (r *road) once(t *testing.T, what string, ids ...string) {
	t.Helper()
	r.late.Wait()
	for _, id := range ids {
		if n := len(r.to.byClientID(t, id)); n != 1 {
			t.Errorf("%s: %s is %d records, want 1", what, strings.TrimSpace(id), n)
		}
	}
}
