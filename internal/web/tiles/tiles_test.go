package tiles_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlite"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/web/tiles"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// region is one region's ledger, served over HTTP.
type region struct {
	name string
	keys *ledger.Keys
	db   store.DB
	l    *ledger.Ledger
	srv  *httptest.Server
	h    http.Handler
}

var regionNames = []string{"ie1", "us1", "au1"}

// open starts three regions that know each other.
func open(t *testing.T) map[string]*region {
	t.Helper()
	all := map[string]*region{}
	for i, name := range regionNames {
		r := &region{name: name}
		var err error
		if r.keys, err = ledger.NewKeys(ledger.Origin(name), bytes.Repeat([]byte{byte(i + 1)}, 32)); err != nil {
			t.Fatal(err)
		}
		r.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.h.ServeHTTP(w, q) }))
		t.Cleanup(r.srv.Close)
		all[name] = r
	}
	for _, r := range all {
		var err error
		if r.db, err = sqlite.Open(context.Background(), t.TempDir(), sqlite.Options{Region: r.name}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.db.Close() })
		r.start(t, all)
	}
	return all
}

func (r *region) start(t *testing.T, all map[string]*region) {
	t.Helper()
	opt := ledger.Options{Keys: r.keys, Log: slog.New(slog.DiscardHandler)}
	for _, p := range all {
		if p != r {
			opt.Peers = append(opt.Peers, ledger.Peer{Origin: ledger.Origin(p.name), LogKey: p.keys.LogKey(), WitnessKey: p.keys.WitnessKey(), URL: p.srv.URL})
		}
	}
	var err error
	if r.l, err = ledger.Open(context.Background(), r.db, sqlstore.Ledgers{}, opt); err != nil {
		t.Fatal(err)
	}
	r.h = tiles.New(r.l)
}

func (r *region) append(t *testing.T, n int) (last id.Entry) {
	t.Helper()
	for range n {
		err := r.db.Do(context.Background(), func(tx store.Tx) error {
			refs, err := r.l.Append(tx, ledger.Draft{Kind: "erase", Tenant: "acme", At: time.Now(), Body: map[string]int{"records": n}})
			if err == nil {
				last = refs[0].Entry
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return last
}

func (r *region) sign(t *testing.T) {
	t.Helper()
	if _, err := r.l.Sign(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func (r *region) get(t *testing.T, path string) (*http.Response, []byte) {
	t.Helper()
	res, err := http.Get(r.srv.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, b
}

func (r *region) post(t *testing.T, body string) (int, string, string) {
	t.Helper()
	res, err := http.Post(r.srv.URL+"/ledger/witness/add-checkpoint", "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("Content-Type"), string(b)
}

func TestPages(t *testing.T) {
	r := open(t)["ie1"]
	r.append(t, 257)
	r.sign(t)
	for _, tt := range []struct {
		path, kind, cache string
		status, size      int
	}{
		{"/ledger/checkpoint", "text/plain; charset=utf-8", "no-cache", 200, -1},
		{"/ledger/tile/0/000", "application/octet-stream", "public, max-age=31536000, immutable", 200, 8192},
		{"/ledger/tile/entries/000", "application/octet-stream", "public, max-age=31536000, immutable", 200, 256 * 34},
		{"/ledger/tile/0/001.p/1", "application/octet-stream", "public, max-age=3600", 200, 32},
		{"/ledger/tile/1/000.p/1", "application/octet-stream", "public, max-age=3600", 200, 32},
		{"/ledger/key", "text/plain; charset=utf-8", "no-cache", 200, -1},
		{"/ledger/witness/key", "text/plain; charset=utf-8", "no-cache", 200, -1},
		{"/ledger/tile/0/001.p/2", "application/problem+json", "", 404, -1},
		{"/ledger/tile/0/001", "application/problem+json", "", 404, -1},
		{"/ledger/tile/0/0/1", "application/problem+json", "", 404, -1},
		{"/ledger/tile/8/0/000", "application/problem+json", "", 404, -1},
		{"/ledger/witness/mirror/domicile/us1", "application/problem+json", "", 404, -1},
	} {
		res, b := r.get(t, tt.path)
		if res.StatusCode != tt.status || res.Header.Get("Content-Type") != tt.kind || res.Header.Get("Cache-Control") != tt.cache || tt.size >= 0 && len(b) != tt.size {
			t.Errorf("%s: %d %s %q, %d bytes", tt.path, res.StatusCode, res.Header.Get("Content-Type"), res.Header.Get("Cache-Control"), len(b))
		}
	}
}

// cosigned verifies a cosignature as c2sp.org/tlog-cosignature says, with the standard library alone.
func cosigned(t *testing.T, checkpoint []byte, vkey string) bool {
	t.Helper()
	parts := strings.SplitN(vkey, "+", 3)
	pub, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || pub[0] != 4 {
		t.Fatalf("witness key %s", vkey)
	}
	text, sigs, _ := strings.Cut(string(checkpoint), "\n\n")
	for line := range strings.Lines(sigs) {
		f := strings.Fields(line)
		if len(f) != 3 || f[1] != parts[0] {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(f[2])
		if err != nil || len(b) != 4+8+64 || fmt.Sprintf("%x", b[:4]) != parts[1] {
			return false
		}
		msg := fmt.Sprintf("cosignature/v1\ntime %d\n%s\n", binary.BigEndian.Uint64(b[4:12]), text)
		return ed25519.Verify(pub[1:], []byte(msg), b[12:])
	}
	return false
}

func TestRegionsCosignEachOther(t *testing.T) {
	all := open(t)
	for round := range 4 {
		for _, r := range all {
			r.append(t, 1+5*round)
			r.sign(t)
		}
		for _, r := range all {
			for _, p := range all {
				if p == r {
					continue
				}
				if err := r.l.Push(context.Background(), ledger.Origin(p.name)); err != nil {
					t.Fatalf("round %d, %s to %s: %v", round, r.name, p.name, err)
				}
			}
			_, cp := r.get(t, "/ledger/checkpoint")
			for _, p := range all {
				if p != r && !cosigned(t, cp, p.keys.WitnessKey()) {
					t.Errorf("round %d: %s has no cosignature of %s:\n%s", round, r.name, p.name, cp)
				}
				_, mirror := p.get(t, "/ledger/witness/mirror/"+ledger.Origin(r.name))
				if p != r && !bytes.HasPrefix(cp, mirror) {
					t.Errorf("%s holds of %s\n%s", p.name, r.name, mirror)
				}
			}
		}
	}
	ie1 := all["ie1"]
	var against ledger.Against
	against.Log, _ = ledger.NewVerifier(ie1.keys.LogKey())
	for _, p := range []string{"us1", "au1"} {
		v, err := ledger.NewVerifier(all[p].keys.WitnessKey())
		if err != nil {
			t.Fatal(err)
		}
		against.Witnesses = append(against.Witnesses, v)
	}
	r, err := ledger.VerifyLog(context.Background(), ledger.HTTPFetch(http.DefaultClient, ie1.srv.URL), against)
	if err != nil || !r.Holds() || len(r.Cosigned) != 2 || time.Since(r.Cosigned[0].At) > time.Minute {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestARestartedRegionGoesOnWhereItsPeersAre(t *testing.T) {
	all := open(t)
	ie1 := all["ie1"]
	for range 3 {
		ie1.append(t, 3)
		ie1.sign(t)
		ie1.start(t, all) // forgets what it knew of its peers
		for _, p := range []string{"us1", "au1"} {
			if err := ie1.l.Push(context.Background(), ledger.Origin(p)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := ie1.db.Do(context.Background(), func(tx store.Tx) error {
		_, err := tx.(sqlstore.Conn).Exec(`DELETE FROM ledger_cosignature`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	ie1.start(t, all) // now only the peer's answer says what it holds
	if err := ie1.l.Push(context.Background(), "domicile/us1"); err != nil {
		t.Error(err)
	}
}

// forked is the log key's owner signing a history of its own.
func forked(t *testing.T, seedByte byte, n int) (msg []byte, hashes tlog.HashReader) {
	t.Helper()
	seed := bytes.Repeat([]byte{seedByte}, 32)
	pub := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey("domicile/us1", pub)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner("PRIVATE+KEY+domicile/us1+" + strings.Split(vkey, "+")[1] + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, seed...)))
	if err != nil {
		t.Fatal(err)
	}
	var stored []tlog.Hash
	r := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, err error) {
		for _, x := range at {
			out = append(out, stored[x])
		}
		return out, nil
	})
	for i := range int64(n) {
		h, err := tlog.StoredHashes(i, []byte("another history"), r)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, h...)
	}
	root, err := tlog.TreeHash(int64(n), r)
	if err != nil {
		t.Fatal(err)
	}
	msg, err = note.Sign(&note.Note{Text: fmt.Sprintf("domicile/us1\n%d\n%s\n", n, root)}, s)
	if err != nil {
		t.Fatal(err)
	}
	return msg, r
}

func TestTheWitnessRefuses(t *testing.T) {
	all := open(t)
	ie1, us1 := all["ie1"], all["us1"]
	us1.append(t, 10)
	us1.sign(t)
	if err := us1.l.Push(context.Background(), "domicile/ie1"); err != nil {
		t.Fatal(err)
	}
	us1.append(t, 5)
	us1.sign(t)
	_, next := us1.get(t, "/ledger/checkpoint")
	same, _ := forked(t, 2, 10)
	larger, hashes := forked(t, 2, 20)
	smaller, _ := forked(t, 2, 4)
	stranger, _ := forked(t, 9, 20)
	_, unknown := ie1.get(t, "/ledger/key")
	proof, err := tlog.ProveTree(20, 10, hashes)
	if err != nil {
		t.Fatal(err)
	}
	lines := ""
	for _, h := range proof {
		lines += h.String() + "\n"
	}
	before := ie1.l.Counts()
	for _, tt := range []struct {
		name, body string
		status     int
		answer     string
	}{
		{"no request", "hello", 400, ""},
		{"leading zero", "old 010\n\n" + string(next), 400, ""},
		{"old above new", "old 16\n\n" + string(next), 400, ""},
		{"a proof too long", "old 10\n" + strings.Repeat(tlog.Hash{}.String()+"\n", 64) + "\n" + string(next), 400, ""},
		{"unknown log", "old 0\n\n" + string(unknown), 404, ""},
		{"another key", "old 10\n" + lines + "\n" + string(stranger), 403, ""},
		{"other size", "old 3\n\n" + string(next), 409, "10\n"},
		{"from nothing", "old 0\n\n" + string(next), 409, "10\n"},
		{"smaller tree", "old 4\n\n" + string(smaller), 409, "10\n"},
		{"fork of the same size", "old 10\n\n" + string(same), 409, "10\n"},
		{"fork of the same size again", "old 10\n\n" + string(same), 409, "10\n"},
		{"fork of a larger size", "old 10\n" + lines + "\n" + string(larger), 422, ""},
		{"no proof", "old 10\n\n" + string(next), 422, ""},
	} {
		status, kind, answer := ie1.post(t, tt.body)
		if status != tt.status || tt.answer != "" && (answer != tt.answer || kind != "text/x.tlog.size") {
			t.Errorf("%s: %d %s %q, want %d %q", tt.name, status, kind, answer, tt.status, tt.answer)
		}
		if strings.Contains(answer, "— ") {
			t.Errorf("%s: cosigned: %s", tt.name, answer)
		}
	}
	if got := ie1.l.Counts().Refused - before.Refused; got != 4 {
		t.Errorf("counted %d refusals, want 4", got)
	}
	if got := entered(t, ie1); got != "fork 10;bad_proof 20;" {
		t.Errorf("entered in its own ledger: %s", got)
	}
	if err := us1.l.Push(context.Background(), "domicile/ie1"); err != nil {
		t.Errorf("the true log isn't cosigned any more: %v", err)
	}
	if status, _, _ := ie1.post(t, "old 0\n\n"+strings.Repeat("a", ledger.MaxWitnessBytes)); status != 413 {
		t.Errorf("a body over the limit: %d", status)
	}
}

// entered lists the refusals in a region's own ledger.
func entered(t *testing.T, r *region) (out string) {
	t.Helper()
	err := r.db.View(context.Background(), func(tx store.Tx) error {
		return tx.(sqlstore.Conn).Query(`SELECT entry FROM ledger_entry WHERE kind = 'witness.refused' ORDER BY leaf`, func(row sqlstore.Row) error {
			var e struct {
				Body struct {
					Reason string
					Size   int
				}
			}
			err := json.Unmarshal(row.Bytes(0), &e)
			out += fmt.Sprintf("%s %d;", e.Body.Reason, e.Body.Size)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestARegionWhosePeersAreAwaySignsAsEver(t *testing.T) {
	all := open(t)
	ie1 := all["ie1"]
	all["us1"].srv.Close()
	all["au1"].srv.Close()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { ie1.l.Run(ctx); close(done) }()
	ie1.append(t, 3)
	ie1.l.Committed()
	stop()
	<-done // stops at once, and has signed
	_, cp := ie1.get(t, "/ledger/checkpoint")
	if !strings.HasPrefix(string(cp), "domicile/ie1\n3\n") {
		t.Errorf("checkpoint\n%s", cp)
	}
}

func TestAStoreSetBackIsNoticedByItsPeer(t *testing.T) {
	all := open(t)
	ie1 := all["ie1"]
	ie1.append(t, 8)
	ie1.sign(t)
	if err := ie1.l.Push(context.Background(), "domicile/us1"); err != nil {
		t.Fatal(err)
	}
	old, err := sqlite.Open(context.Background(), t.TempDir(), sqlite.Options{Region: "ie1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { old.Close() })
	ie1.db = old
	ie1.start(t, all)
	ie1.append(t, 8) // as many, and others
	ie1.sign(t)
	if err := ie1.l.Push(context.Background(), "domicile/us1"); err == nil {
		t.Error("pushed")
	}
	if got := entered(t, all["us1"]); got != "fork 8;" {
		t.Errorf("the peer entered %q", got)
	}
	if ie1.l.Counts().Behind == 0 {
		t.Error("not counted")
	}
}
