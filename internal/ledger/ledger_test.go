package ledger_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

func TestEntriesOfOneKindAndTenantShareALeaf(t *testing.T) {
	w := newWorld(t)
	refs := w.append(t, draft("erase", "acme", 1), draft("collect", "acme", 2), draft("erase", "acme", 3), draft("erase", "other", 4))
	var at []int64
	for _, r := range refs {
		at = append(at, r.Index)
	}
	if got, want := fmt.Sprint(at), "[0 1 0 2]"; got != want {
		t.Errorf("leaves %s, want %s", got, want)
	}
	w.sign(t)
	v := w.view(t, refs[2])
	if v.Sub == nil || v.Sub.Ordinal != 2 {
		t.Fatalf("sub-entry %+v, want the second of its leaf", v.Sub)
	}
	var e struct {
		At, Kind, Tenant string
		Body             struct{ Records int }
	}
	if err := json.Unmarshal(v.Entry, &e); err != nil {
		t.Fatal(err)
	}
	if e.At != "2026-05-01T10:00:03.000Z" || e.Kind != "erase" || e.Tenant != "acme" || e.Body.Records != 3 {
		t.Errorf("entry %+v", e)
	}
	if other := w.view(t, refs[1]); other.Sub != nil {
		t.Errorf("an entry alone in its leaf has a group: %+v", other.Sub)
	}
}

func TestShowingASubEntryBetraysNothingOfItsSiblings(t *testing.T) {
	w := newWorld(t)
	var drafts []ledger.Draft
	for i := range 9 {
		drafts = append(drafts, draft("erase", "acme", i))
	}
	refs := w.append(t, drafts...)
	w.sign(t)
	for i, r := range refs {
		shown, err := json.Marshal(w.view(t, r))
		if err != nil {
			t.Fatal(err)
		}
		for k, sibling := range refs {
			v := w.view(t, sibling)
			if k == i {
				continue
			}
			nonce, _ := json.Marshal(v.Nonce)
			digest := fmt.Sprintf("sha256:%064x", k)
			if bytes.Contains(shown, nonce) || bytes.Contains(shown, []byte(v.ID)) || bytes.Contains(shown, []byte(digest)) {
				t.Errorf("showing sub-entry %d betrays %d", i, k)
			}
		}
	}
}

func TestCommitmentsOfEqualEntriesDiffer(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.append(t, draft("disclose", "acme", 1))
	}
	w.sign(t)
	c := w.commitments(t, 3)
	if bytes.Equal(c[0], c[1]) || bytes.Equal(c[1], c[2]) {
		t.Error("equal decisions have equal commitments")
	}
}

func TestEntryIsThereBeforeItsCheckpointAndProvenAfter(t *testing.T) {
	w := newWorld(t)
	ref := w.append(t, draft("erase", "acme", 1))[0]
	v := w.view(t, ref)
	if v.Checkpoint != nil || v.Proof != nil {
		t.Errorf("proof %v before any checkpoint", v.Proof)
	}
	w.sign(t)
	if v = w.view(t, ref); v.Checkpoint == nil || v.Proof == nil {
		t.Error("no proof after the checkpoint")
	}
	for _, e := range []id.Entry{id.NewEntry(), {}, {11: 1}, func() id.Entry { e := ref.Entry; e[7] = 9; return e }(), func() id.Entry { e := ref.Entry; e[11] ^= 1; return e }()} {
		err := w.db.View(context.Background(), func(tx store.Tx) error {
			_, err := w.l.Entry(tx, e)
			return err
		})
		wantKind(t, err, fault.NotFound)
	}
}

func TestARolledBackAppendLeavesNothingAndTheNextStandsInItsPlace(t *testing.T) {
	w := newWorld(t)
	w.grow(t, 11)
	var lost []ledger.Ref
	err := w.db.Do(context.Background(), func(tx store.Tx) (err error) {
		lost, err = w.l.Append(tx, draft("erase", "acme", 1))
		if err == nil {
			err = errFault
		}
		return err
	})
	if err == nil || lost[0].Index != 11 {
		t.Fatalf("lost %+v, %v", lost, err)
	}
	got := w.append(t, draft("erase", "acme", 2))
	if got[0].Index != 11 || got[0].Entry == lost[0].Entry {
		t.Errorf("after the rollback %+v", got[0])
	}
	w.grow(t, 5)
	earlier := w.sign(t)
	holds(t, w.fetch, w.l.Keys().LogKey(), earlier)
}

func TestSeveralAppendsInOneTransaction(t *testing.T) {
	w := newWorld(t)
	err := w.db.Do(context.Background(), func(tx store.Tx) error {
		for i := range 20 {
			if _, err := w.l.Append(tx, draft("collect", "acme", i), draft("erase", "acme", i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	holds(t, w.fetch, w.l.Keys().LogKey(), w.sign(t))
}

func TestNodesOfACellAppendToOneLog(t *testing.T) {
	a := newWorld(t)
	b := &world{db: a.db, l: openLedger(t, a.db, sqlstore.Ledgers{}, ledger.Options{})}
	var checkpoints [][]byte
	for i := range 40 {
		w := []*world{a, b}[(i*i/3)%2]
		w.append(t, draft("collect", "acme", i))
		if i%5 == 0 {
			one, two := a.sign(t), b.sign(t)
			if !bytes.Equal(one, two) {
				t.Fatalf("two nodes sign differently:\n%s\n%s", one, two)
			}
			checkpoints = append(checkpoints, one)
		}
	}
	b.sign(t)
	for _, c := range checkpoints {
		holds(t, a.fetch, a.l.Keys().LogKey(), c)
	}
}

func TestDraftsThatCannotBeEnteredAreRefused(t *testing.T) {
	w := newWorld(t)
	for name, d := range map[string]ledger.Draft{
		"no kind":           {Tenant: "acme", At: start},
		"kind with a quote": {Kind: `a"b`, At: start},
		"tenant with space": {Kind: "a", Tenant: "a b", At: start},
		"year 10000":        {Kind: "a", At: start.AddDate(9000, 0, 0)},
		"fraction":          {Kind: "a", At: start, Body: map[string]any{"n": 0.5}},
		"list":              {Kind: "a", At: start, Body: []int{1}},
		"control character": {Kind: "a", At: start, Body: map[string]any{"s": "a\nb"}},
		"channel":           {Kind: "a", At: start, Body: map[string]any{"s": make(chan int)}},
		"too large":         {Kind: "a", At: start, Body: map[string]any{"s": strings.Repeat("a", ledger.MaxEntryBytes)}},
		"deep":              {Kind: "a", At: start, Body: json.RawMessage(strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20))},
	} {
		if _, err := w.tryAppend(draft("erase", "acme", 1), d); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	if refs := w.append(t, draft("erase", "acme", 1)); refs[0].Index != 0 {
		t.Errorf("something refused was entered: next is %d", refs[0].Index)
	}
}

func TestAnotherKeyIsRefused(t *testing.T) {
	w := newWorld(t)
	w.grow(t, 3)
	w.sign(t)
	_, err := ledger.Open(context.Background(), w.db, sqlstore.Ledgers{}, ledger.Options{Keys: mustKeys(t, "ie1", 2)})
	wantKind(t, err, fault.Conflict)
}

// TestProofs states, for any sizes: every earlier checkpoint is a prefix of every later one, and
// stored hashes are those of tlog.
func TestProofs(t *testing.T) {
	w := newWorld(t)
	var checkpoints [][]byte
	key := w.l.Keys().LogKey()
	size := int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(rt, "leaves")
		w.grow(t, n)
		size += int64(n)
		checkpoints = append(checkpoints, w.sign(t))
		earlier := checkpoints[rapid.IntRange(0, len(checkpoints)-1).Draw(rt, "earlier")]
		if err := (auditor{key: key, fetch: w.fetch}).audit(earlier); err != nil {
			rt.Fatalf("at %d leaves: %v", size, err)
		}
	})
	holds(t, w.fetch, key, checkpoints[0])
	p := w.publish(t, size)
	signer, _ := realSigner(t, "domicile/ie1", seed(1))
	for name, b := range forge(signer, w.commitments(t, int(size))) {
		if !bytes.Equal(b, p[name]) {
			t.Errorf("%s is not what tlog makes of the same leaves", name)
		}
	}
}

func TestTilesEndWhereTheCheckpointDoes(t *testing.T) {
	w := newWorld(t)
	w.grow(t, 260)
	w.sign(t)
	w.grow(t, 10) // committed, not yet signed
	for path, want := range map[string]int{
		"tile/0/000": 8192, "tile/0/001.p/4": 128, "tile/0/001.p/1": 32, "tile/1/000.p/1": 32,
		"tile/entries/000": 256 * 34, "tile/entries/001.p/4": 136, "tile/0/000.p/255": 255 * 32,
		"tile/0/001.p/5": 0, "tile/0/001": 0, "tile/0/002": 0, "tile/1/000": 0, "tile/1/000.p/2": 0, "tile/2/000.p/1": 0,
		"tile/entries/001": 0, "tile/0/000.p/0": 0, "tile/0/000.p/256": 0, "tile/0/0": 0, "tile/00/000": 0, "tile/63/000": 0,
		"tile/64/000": 0, "tile/-1/000": 0, "tile/data/000": 0, "tile/0/x000/000": 0, "tile/0/001.p/04": 0, "tile/0/": 0, "tile/": 0, "": 0,
		"tile/0/x999/x999/x999/x999/x999/x999/x999/999": 0,
	} {
		b, full, err := w.l.Tile(context.Background(), path)
		if len(b) != want || want == 0 && fault.KindOf(err) != fault.NotFound || want > 0 && err != nil {
			t.Errorf("%q: %d bytes, %v; want %d", path, len(b), err, want)
		}
		if full != (want == 8192 || want == 256*34) && err == nil {
			t.Errorf("%q: full is %v", path, full)
		}
	}
}

func TestAnEmptyLogHasACheckpointThatVerifies(t *testing.T) {
	w := newWorld(t)
	empty := w.sign(t)
	holds2 := func() {
		v, _ := ledger.NewVerifier(w.l.Keys().LogKey())
		r, err := ledger.VerifyLog(context.Background(), w.fetch, ledger.Against{Log: v, Since: empty})
		if err != nil || !r.Holds() {
			t.Errorf("%+v, %v", r, err)
		}
	}
	holds2()
	w.grow(t, 3)
	w.sign(t)
	holds2()
}

func TestRunSignsWithinASecondOfGrowth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { w.l.Run(ctx); close(done) }()
		for i := range 5 {
			w.append(t, draft("erase", "acme", i))
			if i%2 == 0 {
				w.l.Committed() // the others are another node's: found by looking
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if got := signedSize(t, w); got != int64(i+1) {
				t.Errorf("a second after entry %d the checkpoint has %d leaves", i, got)
			}
		}
		w.append(t, draft("erase", "acme", 9))
		stop()
		<-done
		if got := signedSize(t, w); got != 6 {
			t.Errorf("a clean stop leaves %d leaves signed, want 6", got)
		}
		w.db.Close()
	})
}

func signedSize(t testing.TB, w *world) int64 {
	t.Helper()
	msg, err := w.l.Checkpoint(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	c, err := ledger.ParseCheckpoint(strings.SplitN(string(msg), "\n\n", 2)[0] + "\n")
	if err != nil {
		t.Fatal(err)
	}
	return c.Size
}

// Every write may fail, before it is done or after. A second try leaves a log that verifies, with
// one entry for each append that was answered.
func TestEveryWriteMayFail(t *testing.T) {
	for _, after := range []bool{false, true} {
		for step := 1; ; step++ {
			db := openStore(t)
			honest := &world{db: db, l: openLedger(t, db, sqlstore.Ledgers{}, ledger.Options{})}
			honest.grow(t, 6)
			earlier := honest.sign(t)
			f := &faulty{DB: db, Store: sqlstore.Ledgers{}, after: after, left: step}
			w := &world{db: f, l: openLedger(t, f, f, ledger.Options{})}
			journey := func() error {
				if _, err := w.tryAppend(draft("erase", "acme", 7), draft("erase", "acme", 8)); err != nil {
					return err
				}
				_, err := w.l.Sign(context.Background())
				return err
			}
			err := journey()
			if f.left > 0 {
				if err != nil {
					t.Fatal(err)
				}
				break // past the last write
			}
			if err == nil {
				t.Errorf("write %d (after: %v) failed and nobody was told", step, after)
			}
			if err := journey(); err != nil {
				t.Fatalf("write %d (after: %v): second try: %v", step, after, err)
			}
			holds(t, w.fetch, w.l.Keys().LogKey(), earlier)
			if n := signedSize(t, w); n < 7 || n > 8 {
				t.Errorf("write %d (after: %v): %d leaves", step, after, n)
			}
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	body := json.RawMessage(`{"accepted":100,"chunks":1,"decision":"sha256:0f3a0f3a0f3a0f3a0f3a0f3a0f3a0f3a0f3a0f3a0f3a0f3a0f3a0f3a0f3a0f3a","rows":3}`)
	type typed struct {
		Subject  string `json:"subject"`
		Records  int    `json:"records"`
		Decision string `json:"decision"`
	}
	for _, bb := range []struct {
		name string
		body any
		n    int
	}{{"one leaf", body, 1}, {"one leaf of a struct", typed{"sub_aaaaaaaaaaaaaaaaaaaa", 12, "sha256:0f3a"}, 1}, {"200 sub-entries", typed{"sub_aaaaaaaaaaaaaaaaaaaa", 12, "sha256:0f3a"}, 200}} {
		b.Run(bb.name, func(b *testing.B) {
			w := newWorld(b)
			w.grow(b, 100)
			drafts := make([]ledger.Draft, bb.n)
			for i := range drafts {
				drafts[i] = ledger.Draft{Kind: "erase", Tenant: "acme", At: start, Body: bb.body}
			}
			b.ReportAllocs()
			var in time.Duration // Append alone, its statements included, without the commit
			for b.Loop() {
				err := w.db.Do(context.Background(), func(tx store.Tx) error {
					start := time.Now()
					defer func() { in += time.Since(start) }()
					for range 10 {
						if _, err := w.l.Append(tx, drafts...); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(in.Nanoseconds())/1e3/float64(10*b.N), "µs/group")
			b.ReportMetric(float64(in.Nanoseconds())/1e3/float64(10*b.N*bb.n), "µs/entry")
		})
	}
}

func TestARolledBackLeafIsNotTakenForAnotherNodesAtTheSamePlace(t *testing.T) {
	a := newWorld(t)
	b := &world{db: a.db, l: openLedger(t, a.db, sqlstore.Ledgers{}, ledger.Options{})}
	a.grow(t, 4)
	_ = a.db.Do(context.Background(), func(tx store.Tx) error {
		if _, err := a.l.Append(tx, draft("erase", "acme", 1)); err != nil {
			t.Error(err)
		}
		return errFault
	})
	b.append(t, draft("collect", "acme", 2)) // stands where the lost one would
	a.append(t, draft("erase", "acme", 3))
	a.append(t, draft("erase", "acme", 4))
	earlier := a.sign(t)
	holds(t, a.fetch, a.l.Keys().LogKey(), earlier)
}

func TestAnEntryCommittedAtAPlaceThatItsIDDoesNotNameIsFound(t *testing.T) {
	w := newWorld(t)
	refs := w.append(t, draft("erase", "acme", 1), draft("collect", "acme", 2))
	w.sign(t)
	signer, key := realSigner(t, "domicile/ie1", seed(1))
	cs := w.commitments(t, 2)
	cs[0], cs[1] = cs[1], cs[0] // the operator changes the order before anybody has seen a checkpoint
	files := forge(signer, cs)
	verifier, err := ledger.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	v := w.view(t, refs[0])
	text := string(files["checkpoint"])
	v.Index, v.Checkpoint, v.Proof = 1, &text, []tlog.Hash{tlog.RecordHash(cs[0])}
	if err := proven(v, key); err != nil {
		t.Fatalf("the forgery is not what the test means: %v", err)
	}
	if _, defects := ledger.VerifyEntry(v, verifier); len(defects) != 1 || defects[0].Where != "entry" {
		t.Errorf("defects %v, want one of the entry's place", defects)
	}
}

func TestACosignatureOverAnotherTextOrTimeIsFound(t *testing.T) {
	w := newWorld(t)
	w.grow(t, 3)
	us1 := mustKeys(t, "us1", 9)
	good := cosignedBy(t, us1, w.sign(t))
	log, err := ledger.NewVerifier(w.l.Keys().LogKey())
	if err != nil {
		t.Fatal(err)
	}
	witness, err := ledger.NewVerifier(us1.WitnessKey())
	if err != nil {
		t.Fatal(err)
	}
	if _, n, err := ledger.OpenCheckpoint([]byte(good), log, witness); err != nil || len(n.Sigs) != 2 {
		t.Fatalf("%v", err)
	}
	start := strings.LastIndexByte(strings.TrimSpace(good), ' ') + 1
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(good[start:]))
	if err != nil {
		t.Fatal(err)
	}
	for i := 4; i < len(raw); i++ { // after the key's id
		bad := bytes.Clone(raw)
		bad[i] ^= 0x21
		msg := good[:start] + base64.StdEncoding.EncodeToString(bad) + "\n"
		if _, _, err := ledger.OpenCheckpoint([]byte(msg), log, witness); err == nil {
			t.Errorf("byte %d of the cosignature: not found", i)
		}
	}
}

func TestACheckpointOfAnotherOriginIsNotThisLogs(t *testing.T) {
	signer, key := realSigner(t, "domicile/ie1", seed(1))
	log, err := ledger.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"domicile/us1\n1\n" + tlog.Hash{}.String() + "\n", "domicile/ie1\n1\n" + tlog.Hash{}.String() + "\nmore\n", "hello\n"} {
		msg, err := note.Sign(&note.Note{Text: text}, signer)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := ledger.OpenCheckpoint(msg, log); err == nil {
			t.Errorf("%q signed with the key is taken for a checkpoint", text)
		}
	}
}
