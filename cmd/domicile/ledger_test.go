package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlite"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/web/tiles"
)

// ledgerWorld is one region's ledger, served, with up.json beside it.
type ledgerWorld struct {
	t    *testing.T
	dir  string
	db   store.DB
	l    *ledger.Ledger
	last id.Entry
}

func newLedgerWorld(t *testing.T) *ledgerWorld {
	t.Helper()
	w := &ledgerWorld{t: t, dir: t.TempDir()}
	var err error
	if w.db, err = sqlite.Open(context.Background(), filepath.Join(w.dir, "ie1"), sqlite.Options{Region: "ie1"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	w.open()
	mux := http.NewServeMux()
	mux.HandleFunc("/ledger/", func(rw http.ResponseWriter, r *http.Request) { tiles.New(w.l).ServeHTTP(rw, r) })
	mux.HandleFunc("GET /api/v1/ledger/entries/{entry}", func(rw http.ResponseWriter, r *http.Request) {
		e, err := id.ParseEntry(r.PathValue("entry"))
		if err != nil || r.Header.Get("Authorization") != "Bearer dtk_ie1_x" {
			http.Error(rw, `{"detail":"no","reason":"ledger.bad_id"}`, 400)
			return
		}
		var v ledger.EntryView
		if err := w.db.View(r.Context(), func(tx store.Tx) (err error) { v, err = w.l.Entry(tx, e); return err }); err != nil {
			http.Error(rw, `{"detail":"there is no such entry","reason":"ledger.no_entry"}`, 404)
			return
		}
		_ = json.NewEncoder(rw).Encode(v)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	up := fmt.Sprintf(`{"version":1,"regions":[{"id":"ie1","url":%q,"data":"ie1","tenant":"acme","api_token":"dtk_ie1_x","sources":{}}]}`, srv.URL)
	if err := os.WriteFile(filepath.Join(w.dir, "up.json"), []byte(up), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *ledgerWorld) open() {
	w.t.Helper()
	keys, err := ledger.NewKeys("domicile/ie1", bytes.Repeat([]byte{5}, 32))
	if err == nil {
		w.l, err = ledger.Open(context.Background(), w.db, sqlstore.Ledgers{}, ledger.Options{Keys: keys, Log: slog.New(slog.DiscardHandler)})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *ledgerWorld) grow(n int) {
	w.t.Helper()
	for i := range n {
		err := w.db.Do(context.Background(), func(tx store.Tx) error {
			d := ledger.Draft{Kind: "erase", Tenant: "acme", At: time.Now(), Body: map[string]int{"records": i}}
			refs, err := w.l.Append(tx, d, d)
			if err == nil {
				w.last = refs[1].Entry
			}
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	if _, err := w.l.Sign(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *ledgerWorld) edit(sql string) {
	w.t.Helper()
	if err := w.db.Do(context.Background(), func(tx store.Tx) error { _, err := tx.(sqlstore.Conn).Exec(sql); return err }); err != nil {
		w.t.Fatal(err)
	}
}

// run runs a command and returns its exit code and what it printed.
func (w *ledgerWorld) run(c interface{ Run(*env) error }, asJSON bool) (code int, out, talk string) {
	w.t.Helper()
	var o, x bytes.Buffer
	e := &env{ctx: context.Background(), in: strings.NewReader(""), out: &o, err: &x, json: asJSON}
	err := c.Run(e)
	var exit *exitError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		code = exit.code
	case fault.KindOf(err) == fault.Invalid:
		code = exitWrong
	default:
		code = exitFailed
	}
	return code, o.String(), x.String()
}

func TestLedgerVerifyFollowsALogAndFindsWhatIsBroken(t *testing.T) {
	w := newLedgerWorld(t)
	at := ledgerAt{Up: w.dir}
	saved := filepath.Join(w.dir, "checkpoint")
	w.grow(5)
	code, out, talk := w.run(&ledgerVerifyCmd{ledgerAt: at, Save: saved}, false)
	if code != 0 || !strings.HasPrefix(out, "ie1 holds: 5 leaves, root ") || !strings.Contains(talk, "used for the first time") {
		t.Fatalf("exit %d\n%s%s", code, out, talk)
	}
	w.grow(300)
	code, out, talk = w.run(&ledgerVerifyCmd{ledgerAt: at, Since: saved}, false)
	if code != 0 || !strings.Contains(out, "extends the earlier checkpoint of 5 leaves") || talk != "" {
		t.Errorf("exit %d\n%s%s", code, out, talk)
	}
	code, out, _ = w.run(&ledgerVerifyCmd{ledgerAt: at, Quorum: 0}, true)
	var answer struct {
		Holds   bool
		Regions []struct {
			Region, Root string
			Size         int64
			KeyFrom      string `json:"key_from"`
		}
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != 0 || !answer.Holds || answer.Regions[0].Size != 305 || answer.Regions[0].KeyFrom != "node" {
		t.Errorf("exit %d, %v\n%s", code, err, out)
	}

	if err := os.WriteFile(saved+".key", []byte("domicile/ie1+0eccd3ea+AfCV0RYE4pyhKWEjzMCSqZ8kWYg0T1V1eqDoI9lyC0gK"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := w.run(&ledgerVerifyCmd{ledgerAt: at, Since: saved}, false); code == 0 {
		t.Errorf("another key is kept, and all holds:\n%s", out)
	}

	for _, sql := range []string{
		`UPDATE ledger_hash SET commitment = zeroblob(32) WHERE leaf = 3`,
		`UPDATE ledger_hash SET hashes = zeroblob(length(hashes)) WHERE leaf = 280`,
		`UPDATE ledger_checkpoint SET note = CAST(replace(CAST(note AS TEXT), '305', '304') AS BLOB)`,
	} {
		w := newLedgerWorld(t)
		w.grow(305)
		w.edit(sql)
		if code, out, _ := w.run(&ledgerVerifyCmd{ledgerAt: ledgerAt{Up: w.dir}}, false); code != exitBad || !strings.Contains(out, "ie1 broken: ") {
			t.Errorf("%s: exit %d\n%s", sql, code, out)
		}
	}
	for _, sql := range []string{
		`UPDATE ledger_entry SET entry = CAST(replace(CAST(entry AS TEXT), '"kind":"', '"kind":"x') AS BLOB) WHERE leaf = 3`,
		`UPDATE ledger_entry SET subs = zeroblob(length(subs)) WHERE leaf = 3`,
		`DELETE FROM ledger_entry WHERE leaf = 3`,
	} { // what only the node holds: it finds it when it starts
		w := newLedgerWorld(t)
		w.grow(5)
		w.edit(sql)
		w.open()
		if code, out, _ := w.run(&ledgerVerifyCmd{ledgerAt: ledgerAt{Up: w.dir}}, false); code != exitBad || !strings.Contains(out, "ie1 broken: leaf 3: ") {
			t.Errorf("%s: exit %d\n%s", sql, code, out)
		}
	}
}

func TestLedgerProve(t *testing.T) {
	w := newLedgerWorld(t)
	w.grow(7)
	at := ledgerAt{Up: w.dir}
	code, out, _ := w.run(&ledgerProveCmd{ledgerAt: at, Entry: w.last.String()}, false)
	if code != 0 || !strings.Contains(out, "holds: leaf 6 of 7, signed by domicile/ie1") || !strings.Contains(out, `"kind":"erase"`) {
		t.Errorf("exit %d\n%s", code, out)
	}
	file := filepath.Join(t.TempDir(), "entry.json")
	l := logAt{"ie1", mustUp(t, at), "dtk_ie1_x"}
	b, err := l.entry(context.Background(), w.last.String())
	if err != nil {
		t.Fatal(err)
	}
	key := ledgerAt{Key: w.l.Keys().LogKey()}
	for _, tt := range []struct {
		name, file string
		at         ledgerAt
		want       int
	}{
		{"offline", string(b), key, 0},
		{"offline without a key", string(b), ledgerAt{}, exitWrong},
		{"altered", strings.Replace(string(b), `"records":6`, `"records":5`, 1), key, exitBad},
		{"no entry", "hello", key, exitWrong},
		{"another JSON", "{}", key, exitBad},
	} {
		if err := os.WriteFile(file, []byte(tt.file), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, talk := w.run(&ledgerProveCmd{ledgerAt: tt.at, In: file}, true); code != tt.want {
			t.Errorf("%s: exit %d, want %d\n%s%s", tt.name, code, tt.want, out, talk)
		}
	}
	if code, _, _ := w.run(&ledgerProveCmd{ledgerAt: at, Entry: id.NewEntry().String()}, false); code != exitFailed {
		t.Errorf("an entry that is not there: exit %d", code)
	}
	if code, _, _ := w.run(&ledgerProveCmd{ledgerAt: at}, false); code != exitWrong {
		t.Errorf("no entry given: exit %d", code)
	}
}

func mustUp(t *testing.T, at ledgerAt) string {
	t.Helper()
	chosen, _, err := at.logs(true)
	if err != nil {
		t.Fatal(err)
	}
	return chosen[0].url
}
