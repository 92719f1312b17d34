package api_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/postgres"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest/pgtest"
)

// TestIdempotencyOnPostgreSQL runs the tests of this file on the other engine.
func TestIdempotencyOnPostgreSQL(t *testing.T) {
	onSQLite := openStore
	openStore = func(t testing.TB) (store.DB, error) {
		return postgres.Open(t.Context(), pgtest.URL(t), postgres.Options{Region: "ie1"})
	}
	defer func() { openStore = onSQLite }()
	for name, run := range map[string]func(*testing.T){"same answer": TestTheSameKeyGivesTheSameAnswer, "one request": TestAKeyBelongsToOneRequest,
		"under way": TestWhileOneIsUnderWayAnotherIsToldToWait, "trouble": TestRefusalsAreKeptAndTroubleIsNot, "a day": TestAKeyLivesADay,
		"find": TestFindIsAskedAgain, "secrets": TestAReplayShowsNoSecretAgain, "died": TestWhatWasMadeIsNotMadeAgain,
		"slow": TestASlowRequestAndItsRepetitionDoItOnce} {
		t.Run(name, run)
	}
}

const keyHeader = "Idempotency-Key"

func TestTheSameKeyGivesTheSameAnswer(t *testing.T) {
	w := newWorld(t)
	path := "/api/v1/subjects/" + sub + ":erase"
	first := w.do("POST", path, `{"suppress":true}`, keyHeader, "k1")
	again := w.do("POST", path, `{"suppress":true}`, keyHeader, "k1")
	if first.status != 200 || again.status != 200 || string(first.body) != string(again.body) {
		t.Errorf("%d %s, then %d %s", first.status, first.body, again.status, again.body)
	}
	if again.header.Get("Content-Type") != "application/json" || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("headers of the replay: %v", again.header)
	}
	if n := w.plane.count(); n != 1 {
		t.Errorf("%d erasures, want 1", n)
	}
	if w.do("POST", path, `{"suppress":true}`, keyHeader, "k2"); w.plane.count() != 2 {
		t.Error("another key is another request")
	}
	if w.do("POST", path, `{"suppress":true}`); w.plane.count() != 3 {
		t.Error("no key is another request")
	}
}

func TestAKeyBelongsToOneRequest(t *testing.T) {
	w := newWorld(t)
	w.do("POST", "/api/v1/subjects/"+sub+":erase", `{"suppress":true}`, keyHeader, "k1")
	for name, r := range map[string]reply{
		"another body":    w.do("POST", "/api/v1/subjects/"+sub+":erase", `{"suppress":false}`, keyHeader, "k1"),
		"another call":    w.do("POST", "/api/v1/subjects/"+sub+":restrict", `{"suppress":true}`, keyHeader, "k1"),
		"another subject": w.do("POST", "/api/v1/subjects/"+subject(9).String()+":erase", `{"suppress":true}`, keyHeader, "k1"),
	} {
		if reason := r.problem(t); r.status != 422 || reason != "idempotency.other_request" {
			t.Errorf("%s: %d %s, want 422", name, r.status, reason)
		}
	}
	for _, bad := range []string{"", strings.Repeat("k", 256)} {
		if r := w.do("POST", "/api/v1/subjects/"+sub+":erase", "", keyHeader, bad); r.status != 400 {
			t.Errorf("a key of %d bytes: %d, want 400", len(bad), r.status)
		}
	}
	if n := w.plane.count(); n != 1 {
		t.Errorf("%d calls got through, want 1", n)
	}
}

func TestWhileOneIsUnderWayAnotherIsToldToWait(t *testing.T) {
	w := newWorld(t)
	w.plane.wait, w.plane.waits = make(chan struct{}), make(chan struct{}, 1)
	path := "/api/v1/subjects/" + sub + ":erase"
	first := make(chan reply, 1)
	go func() {
		r, err := w.send("POST", path, "", keyHeader, "k1")
		if err != nil {
			t.Error(err)
		}
		first <- r
	}()
	<-w.plane.waits
	r := w.do("POST", path, "", keyHeader, "k1")
	if reason := r.problem(t); r.status != 409 || reason != "idempotency.under_way" || r.header.Get("Retry-After") == "" {
		t.Errorf("%d %s, Retry-After %q, want 409", r.status, reason, r.header.Get("Retry-After"))
	}
	close(w.plane.wait)
	if r := <-first; r.status != 200 {
		t.Errorf("the first: %d", r.status)
	}
	if r := w.do("POST", path, "", keyHeader, "k1"); r.status != 200 || w.plane.count() != 1 {
		t.Errorf("after it: %d, %d calls", r.status, w.plane.count())
	}
}

func TestRefusalsAreKeptAndTroubleIsNot(t *testing.T) {
	w := newWorld(t)
	path := "/api/v1/subjects/" + sub + ":restrict"
	w.plane.fail = fault.New(fault.NotFound, "subject.not_found", "nobody")
	if r := w.do("POST", path, "", keyHeader, "k1"); r.status != 404 {
		t.Fatalf("%d, want 404", r.status)
	}
	w.plane.fail = nil
	if r := w.do("POST", path, "", keyHeader, "k1"); r.status != 404 || r.problem(t) != "subject.not_found" {
		t.Errorf("a retry of what was refused: %d, want the same", r.status)
	}
	for _, trouble := range []error{errors.New("disk"), fault.New(fault.Unavailable, "store.busy", "busy"), fault.New(fault.RateLimited, "plane.busy", "busy")} {
		key := fault.ReasonOf(trouble) + "key"
		w.plane.fail = trouble
		if r := w.do("POST", path, "", keyHeader, key); r.status != 500 && r.status != 503 && r.status != 429 {
			t.Fatalf("%d, want trouble", r.status)
		}
		w.plane.fail = nil
		if r := w.do("POST", path, "", keyHeader, key); r.status != 200 {
			t.Errorf("a retry after %v: %d, want 200", trouble, r.status)
		}
	}
}

func TestAKeyLivesADay(t *testing.T) {
	w := newWorld(t)
	path := "/api/v1/subjects/" + sub + ":erase"
	clock := now
	w.now = func() time.Time { return clock }
	w.do("POST", path, "", keyHeader, "k1")
	clock = now.Add(24*time.Hour - time.Second)
	if w.do("POST", path, "", keyHeader, "k1"); w.plane.count() != 1 {
		t.Error("forgotten within the day")
	}
	clock = now.Add(24 * time.Hour)
	if w.do("POST", path, "", keyHeader, "k1"); w.plane.count() != 2 {
		t.Error("remembered after the day")
	}
}

// An answer that says who somebody is must not outlive their erasure.
func TestFindIsAskedAgain(t *testing.T) {
	w := newWorld(t)
	body := `{"identifiers":[{"type":"email","value":"a@b.c"}]}`
	w.do("POST", "/api/v1/subjects:find", body, keyHeader, "k1")
	w.plane.fail = fault.New(fault.NotFound, "subject.not_found", "nobody")
	if r := w.do("POST", "/api/v1/subjects:find", body, keyHeader, "k1"); r.status != 404 {
		t.Errorf("found after the erasure: %d", r.status)
	}
	if r := w.do("POST", "/api/v1/subjects:find", strings.Replace(body, "a@", "b@", 1), keyHeader, "k1"); r.status != 422 {
		t.Errorf("another body: %d, want 422", r.status)
	}
}

func TestAReplayShowsNoSecretAgain(t *testing.T) {
	w := newWorld(t)
	auth := "Bearer " + operatorToken
	create := func() reply {
		return w.do("POST", "/api/v1/tenants", `{"id":"newer"}`, keyHeader, "k1", "Authorization", auth)
	}
	first, again := create(), create()
	if first.status != 201 || first.json(t)["api_token"] == nil {
		t.Fatalf("%d %s, want a tenant and its token", first.status, first.body)
	}
	if again.status != 201 || again.json(t)["api_token"] != nil || again.json(t)["tenant"] == nil {
		t.Errorf("%d %s, want the tenant without its token", again.status, again.body)
	}
}

// forgetful keeps no final answer, as if the node had died before it could.
type forgetful struct{ sqlstore.Idempotency }

func (f forgetful) PutAnswer(tx store.Tx, a sqlstore.Answer) error {
	if a.Status >= 200 {
		return errors.New("died")
	}
	return f.Idempotency.PutAnswer(tx, a)
}

func TestWhatWasMadeIsNotMadeAgain(t *testing.T) {
	openAnswers = forgetful{}
	defer func() { openAnswers = sqlstore.Idempotency{} }()
	w := newWorld(t)
	clock := now
	w.now = func() time.Time { return clock }
	create := func() reply {
		return w.do("POST", "/api/v1/tenants/acme/sources", `{"name":"n","adapter":"native"}`, keyHeader, "k1")
	}
	sources := func() int {
		list, _ := w.do("GET", "/api/v1/tenants/acme/sources", "").json(t)["sources"].([]any)
		return len(list)
	}
	had := sources()
	if r := create(); r.status != 201 || sources() != had+1 {
		t.Fatalf("%d %s, %d sources", r.status, r.body, sources())
	}
	if r := create(); r.status != 409 || r.problem(t) != "idempotency.under_way" {
		t.Errorf("at once: %d %s", r.status, r.body)
	}
	clock = now.Add(2 * time.Minute)
	if r := create(); r.status != 409 || r.problem(t) != "idempotency.answer_lost" || sources() != had+1 {
		t.Errorf("later: %d %s, %d sources, want %d", r.status, r.body, sources(), had+1)
	}
}
