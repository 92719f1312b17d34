package ledger_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/store/sqlstore"
)

// A witness whose store fails gives no cosignature, and goes on from what it kept.
func TestEveryWriteOfAWitnessMayFail(t *testing.T) {
	log := newWorld(t)
	log.grow(t, 5)
	msg := log.sign(t)
	ie1 := mustKeys(t, "ie1", 1)
	peers := []ledger.Peer{{Origin: "domicile/ie1", LogKey: ie1.LogKey(), WitnessKey: ie1.WitnessKey()}}
	for _, after := range []bool{false, true} {
		for step := 1; ; step++ {
			f := &faulty{DB: openStore(t), Store: sqlstore.Ledgers{}, after: after, left: step}
			us1 := openLedger(t, f, f, ledger.Options{Keys: mustKeys(t, "us1", 2), Peers: peers})
			line, err := us1.AddCheckpoint(context.Background(), append([]byte("old 0\n\n"), msg...))
			if f.left > 0 {
				break
			}
			if err == nil || line != nil {
				t.Errorf("write %d (after: %v) failed, and it cosigned", step, after)
			}
			_, err = us1.AddCheckpoint(context.Background(), append([]byte("old 0\n\n"), msg...))
			if fe, ok := fault.As(err); ok && fe.Extra["size"] != nil { // kept, but the answer was lost
				_, err = us1.AddCheckpoint(context.Background(), append(fmt.Appendf(nil, "old %d\n\n", fe.Extra["size"]), msg...))
			}
			if err != nil {
				t.Errorf("write %d (after: %v): second try: %v", step, after, err)
			}
			if kept, err := us1.Mirror(context.Background(), "domicile/ie1"); err != nil || string(kept) != string(msg) {
				t.Errorf("write %d (after: %v): mirror %q, %v", step, after, kept, err)
			}
		}
	}
}

// A region whose store fails while it keeps a cosignature asks for it again.
func TestEveryWriteOfAPushMayFail(t *testing.T) {
	us1 := mustKeys(t, "us1", 2)
	ie1 := mustKeys(t, "ie1", 1)
	for _, after := range []bool{false, true} {
		for step := 1; ; step++ {
			witness := openLedger(t, openStore(t), sqlstore.Ledgers{}, ledger.Options{Keys: us1,
				Peers: []ledger.Peer{{Origin: "domicile/ie1", LogKey: ie1.LogKey(), WitnessKey: ie1.WitnessKey()}}})
			srv := httptest.NewServer(answering(witness))
			db := openStore(t)
			honest := &world{db: db, l: openLedger(t, db, sqlstore.Ledgers{}, ledger.Options{})}
			honest.grow(t, 5)
			honest.sign(t)
			f := &faulty{DB: db, Store: sqlstore.Ledgers{}, after: after, left: step}
			l := openLedger(t, f, f, ledger.Options{Peers: []ledger.Peer{{Origin: "domicile/us1", LogKey: us1.LogKey(), WitnessKey: us1.WitnessKey(), URL: srv.URL}}})
			err := l.Push(context.Background(), "domicile/us1")
			if f.left > 0 {
				srv.Close()
				break
			}
			if err == nil {
				t.Errorf("write %d (after: %v) failed and nobody was told", step, after)
			}
			if err := l.Push(context.Background(), "domicile/us1"); err != nil {
				t.Errorf("write %d (after: %v): second try: %v", step, after, err)
			}
			if msg, err := l.Checkpoint(context.Background()); err != nil || !strings.Contains(string(msg), "— domicile/us1/witness ") {
				t.Errorf("write %d (after: %v): %v\n%s", step, after, err, msg)
			}
			srv.Close()
		}
	}
}

// answering serves a witness, by the statuses of tlog-witness that matter here.
func answering(l *ledger.Ledger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body)
		line, err := l.AddCheckpoint(r.Context(), body)
		if f, ok := fault.As(err); ok && f.Extra["size"] != nil {
			w.WriteHeader(http.StatusConflict)
			_, _ = fmt.Fprintf(w, "%d\n", f.Extra["size"])
		} else if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = w.Write(line)
	})
}
