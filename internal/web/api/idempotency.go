package api

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/web/guard"
)

// Answers keeps what was answered to requests with an Idempotency-Key.
type Answers interface {
	Answer(tx store.Tx, tenant uint32, key []byte) (a sqlstore.Answer, found bool, err error)
	PutAnswer(tx store.Tx, a sqlstore.Answer) error
	DropAnswer(tx store.Tx, tenant uint32, key []byte) error
	PruneAnswers(tx store.Tx, before time.Time) (pruned int64, err error)
}

// Times of an Idempotency-Key, and its length.
const (
	keyLife     = 24 * time.Hour
	keyLease    = time.Minute // a request that takes longer has died with its node
	pruneEvery  = time.Hour
	maxKeyBytes = 255
)

// idempotency gives the same answer to the same request. What the client sent is stored as HMACs
// alone, and answers hold ids: after an erasure nothing here leads to a person. Where an answer
// would outlive what it says (:find), none is kept and a retry asks again; where it holds a secret,
// that is left out.
type idempotency struct {
	db      store.DB
	answers Answers
	secret  []byte
	now     func() time.Time
}

func newIdempotency(db store.DB, answers Answers, secret []byte, now func() time.Time) *idempotency {
	return &idempotency{db: db, answers: answers, secret: secret, now: now}
}

// digest keys what the client sent. Parts are length-prefixed, so that no two lists are alike.
func (i *idempotency) digest(parts ...[]byte) []byte {
	h := hmac.New(sha256.New, i.secret)
	for _, p := range parts {
		n := len(p)
		h.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		h.Write(p)
	}
	return h.Sum(nil)
}

// serve answers a request that came with a key.
func (i *idempotency) serve(w http.ResponseWriter, r *http.Request, c *call, keys []string) error {
	if len(keys) != 1 || keys[0] == "" || len(keys[0]) > maxKeyBytes {
		return fault.New(fault.Invalid, "idempotency.bad_key", "an Idempotency-Key has 1 to %d bytes, and a request has one", maxKeyBytes)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return bodyFault(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	first := sqlstore.Answer{Tenant: c.caller.Tenant, Key: i.digest([]byte("key"), []byte(keys[0])),
		Digest: i.digest([]byte("body"), []byte(c.op.pattern), []byte(c.subject), []byte(c.id), []byte(r.URL.RawQuery), body)}
	if c.op.fresh {
		first.Status = statusAsk
	}
	kept, err := i.begin(r.Context(), first)
	switch {
	case err != nil:
		return err
	case kept != nil:
		return replay(w, kept)
	case c.op.fresh:
		return c.op.handle(w, r, c)
	}
	return i.answer(w, r, c, first)
}

// begin puts first in place, or returns what was answered before. Faults: Unprocessable when the
// key came with another request; Conflict while the first one is under way, and when it was carried
// out by a node that died before it kept the answer.
func (i *idempotency) begin(ctx context.Context, first sqlstore.Answer) (kept *sqlstore.Answer, err error) {
	now := i.now()
	first.StartedAt = now
	err = i.db.Do(ctx, func(tx store.Tx) error {
		kept = nil
		old, found, err := i.answers.Answer(tx, first.Tenant, first.Key)
		switch {
		case err != nil:
			return err
		case !found || !now.Before(old.StartedAt.Add(keyLife)):
			return i.answers.PutAnswer(tx, first)
		case !hmac.Equal(old.Digest, first.Digest):
			return fault.New(fault.Unprocessable, "idempotency.other_request", "this Idempotency-Key was used for another request").
				WithHint("use a new key for a new request")
		case old.Status == statusAsk:
			return nil
		case old.Status >= 200:
			kept = &old
			return nil
		case now.Before(old.StartedAt.Add(keyLease)):
			return underWay()
		case old.Status == statusMade:
			return fault.New(fault.Conflict, "idempotency.answer_lost", "the request with this Idempotency-Key was carried out, and its answer is lost").
				WithHint("list what there is; what was made and can't be used without its secret can be rotated or disabled")
		}
		return i.answers.PutAnswer(tx, first) // the node that began it is gone, and nothing was made
	})
	return kept, err
}

// What is kept in place of an answer's status.
const (
	statusAsk  = 1 // the answer is to be asked for again
	statusMade = 2 // what was asked is done, and its answer is not kept yet
)

// mark enters a that its effect is had, in the transaction of the effect. A request that waited for
// longer than its lease finds here that another with its key came first.
func (i *idempotency) mark(tx store.Tx, a sqlstore.Answer) error {
	old, found, err := i.answers.Answer(tx, a.Tenant, a.Key)
	if err != nil {
		return err
	}
	if found && old.Status != 0 {
		return underWay()
	}
	return i.answers.PutAnswer(tx, a)
}

func underWay() error {
	f := fault.New(fault.Conflict, "idempotency.under_way", "a request with this Idempotency-Key is under way").WithHint("send it again a little later")
	f.RetryAfterSeconds = 1
	return f
}

// answer lets the operation answer and keeps that before the client sees it. Trouble on our side is
// not kept: the retry is to find out anew.
func (i *idempotency) answer(w http.ResponseWriter, r *http.Request, c *call, a sqlstore.Answer) error {
	a.StartedAt = i.now()
	made := a // entered with the effect, so that a node that dies in between leaves a trace of it
	made.Status = statusMade
	r = r.WithContext(store.OnEffect(r.Context(), func(tx store.Tx) error { return i.mark(tx, made) }))
	rec := &recorder{ResponseWriter: w}
	keep := false
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
		defer cancel()
		if err := i.end(ctx, a, keep); err != nil {
			guard.Note(w, err) // it was done, so it is answered; a retry within the lease is told to wait
		}
		rec.send()
	}()
	if err := c.op.handle(rec, r, c); err != nil {
		guard.Fail(rec, err)
	}
	if keep = rec.status >= 200 && rec.status < 500 && rec.status != http.StatusTooManyRequests && rec.status != http.StatusConflict; keep {
		a.Status, a.Type, a.Body = rec.status, rec.Header().Get("Content-Type"), rec.body.Bytes()
		if c.op.secrets {
			a.Body = withoutSecrets(a.Body)
		}
	}
	return nil
}

func (i *idempotency) end(ctx context.Context, a sqlstore.Answer, keep bool) error {
	return i.db.Do(ctx, func(tx store.Tx) error {
		if keep {
			return i.answers.PutAnswer(tx, a)
		}
		return i.answers.DropAnswer(tx, a.Tenant, a.Key)
	})
}

// replay gives the kept answer again.
func replay(w http.ResponseWriter, a *sqlstore.Answer) error {
	w.Header().Set("Content-Type", a.Type)
	w.Header().Set("Idempotent-Replayed", "true")
	w.WriteHeader(a.Status)
	_, err := w.Write(a.Body)
	guard.Note(w, err)
	return nil
}

// withoutSecrets leaves out of a JSON object what is shown once.
func withoutSecrets(body []byte) []byte {
	var m map[string]json.RawMessage
	if json.Unmarshal(body, &m) != nil {
		return []byte("{}\n")
	}
	for _, name := range secretMembers {
		delete(m, name)
	}
	b, err := json.Marshal(m)
	if err != nil {
		return []byte("{}\n")
	}
	return append(b, '\n')
}

// recorder holds an answer back.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

// send passes on what was written, if anything was.
func (r *recorder) send() {
	if r.status == 0 {
		return
	}
	r.ResponseWriter.WriteHeader(r.status)
	_, err := r.ResponseWriter.Write(r.body.Bytes())
	if err != nil {
		guard.Note(r.ResponseWriter, err)
	}
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// run deletes answers that are over a day old, until ctx ends.
func (i *idempotency) run(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = i.db.Do(ctx, func(tx store.Tx) error { // the next hour does it as well
				_, err := i.answers.PruneAnswers(tx, i.now().Add(-keyLife))
				return err
			})
		}
	}
}
