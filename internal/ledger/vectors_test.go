package ledger_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"domicile.dev/internal/ledger"
	"domicile.dev/internal/store/sqlstore"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var update = flag.Bool("update", false, "write testkit/ledger/vectors.json anew")

const vectorsFile = "../../testkit/ledger/vectors.json"

// vectors is testkit/ledger/vectors.json; its README says what each member means.
type vectors struct {
	Canonical []struct {
		In  string  `json:"in"`
		Out *string `json:"out"`
	} `json:"canonical"`
	Seed       string `json:"seed"`
	LogKey     string `json:"log_key"`
	WitnessKey string `json:"witness_key"` // of us1, which cosigned

	Leaves      []vectorLeaf      `json:"leaves"`
	Earlier     string            `json:"earlier"`
	Checkpoint  string            `json:"checkpoint"`
	Consistency []tlog.Hash       `json:"consistency"`
	Tiles       map[string]string `json:"tiles"`

	Shown  []ledger.EntryView `json:"shown"`
	Broken []brokenEntry      `json:"broken"`
}

type vectorLeaf struct {
	Entry      string `json:"entry"`
	Nonce      string `json:"nonce"`
	Commitment string `json:"commitment"`
	Hash       string `json:"leaf_hash"`
}

type brokenEntry struct {
	Why   string           `json:"why"`
	Shown ledger.EntryView `json:"shown"`
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	b, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	for _, c := range v.Canonical {
		got, err := ledger.Canonical(nil, []byte(c.In))
		if (err == nil) != (c.Out != nil) || c.Out != nil && string(got) != *c.Out {
			t.Errorf("canonical %q: %q, %v", c.In, got, err)
		}
	}
	seed, _ := hex.DecodeString(v.Seed)
	keys, err := ledger.NewKeys("domicile/ie1", seed)
	if err != nil || keys.LogKey() != v.LogKey {
		t.Errorf("log key %s, %v", keys.LogKey(), err)
	}
	for i, l := range v.Leaves {
		nonce, _ := hex.DecodeString(l.Nonce)
		c := sha256.Sum256(append(nonce, l.Entry...))
		h := tlog.RecordHash(c[:])
		if hex.EncodeToString(c[:]) != l.Commitment || hex.EncodeToString(h[:]) != l.Hash {
			t.Errorf("leaf %d: commitment %x, hash %x", i, c, h)
		}
	}
	p := published{"checkpoint": []byte(v.Checkpoint)}
	for name, x := range v.Tiles {
		p[name], _ = hex.DecodeString(x)
	}
	holds(t, p.fetch, v.LogKey, []byte(v.Earlier))
	log, err := ledger.NewVerifier(v.LogKey)
	if err != nil {
		t.Fatal(err)
	}
	witness, err := ledger.NewVerifier(v.WitnessKey)
	if err != nil {
		t.Fatal(err)
	}
	cp, n, err := ledger.OpenCheckpoint([]byte(v.Checkpoint), log, witness)
	if err != nil || len(n.Sigs) != 2 {
		t.Fatalf("checkpoint: %v, %d signatures", err, len(n.Sigs))
	}
	old, _, err := ledger.OpenCheckpoint([]byte(v.Earlier), log)
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckTree(v.Consistency, cp.Size, cp.Root, old.Size, old.Root); err != nil {
		t.Errorf("consistency: %v", err)
	}
	for i, s := range v.Shown {
		if _, defects := ledger.VerifyEntry(s, log); len(defects) > 0 {
			t.Errorf("shown %d: %v", i, defects)
		}
		if err := proven(s, v.LogKey); err != nil {
			t.Errorf("shown %d, standard tools: %v", i, err)
		}
	}
	for _, b := range v.Broken {
		if _, defects := ledger.VerifyEntry(b.Shown, log); len(defects) == 0 {
			t.Errorf("%s: not found", b.Why)
		}
	}
}

// writeVectors makes the file from a real log, with randomness and clock fixed.
func writeVectors(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 20260501)
	db := openStore(t)
	now := func() time.Time { return start.Add(time.Hour) }
	us1 := mustKeys(t, "us1", 101)
	w := &world{db: db, l: openLedger(t, db, sqlstore.Ledgers{}, ledger.Options{Keys: mustKeys(t, "ie1", 1), Now: now})}
	refs := w.append(t, draft("collect", "acme", 1))
	refs = append(refs, w.append(t, draft("erase", "acme", 2), draft("erase", "acme", 3), draft("erase", "acme", 4))...)
	refs = append(refs, w.append(t, ledger.Draft{Kind: "keys.rotated", At: start})...)
	v := vectors{Seed: hex.EncodeToString(seed(1)), LogKey: w.l.Keys().LogKey(), WitnessKey: us1.WitnessKey(), Earlier: string(w.sign(t)), Tiles: map[string]string{}}
	refs = append(refs, w.append(t, draft("restrict", "other", 5))...)
	for i := range 3 {
		w.append(t, draft("collect", "acme", 6+i))
	}
	w.sign(t)
	p := w.publish(t, 7)
	for name, b := range p {
		if name != "checkpoint" {
			v.Tiles[name] = hex.EncodeToString(b)
		}
	}
	v.Checkpoint = cosignedBy(t, us1, p["checkpoint"])
	for i := range 7 {
		entry, nonce, c := w.cell(t, "ledger_entry", "entry", i), w.cell(t, "ledger_entry", "nonce", i), w.cell(t, "ledger_hash", "commitment", i)
		h := tlog.RecordHash(c)
		v.Leaves = append(v.Leaves, vectorLeaf{string(entry), hex.EncodeToString(nonce), hex.EncodeToString(c), hex.EncodeToString(h[:])})
	}
	old, err := (auditor{key: v.LogKey}).open([]byte(v.Earlier))
	if err != nil {
		t.Fatal(err)
	}
	a := auditor{key: v.LogKey, fetch: p.fetch}
	tree, err := a.open(p["checkpoint"])
	if err != nil {
		t.Fatal(err)
	}
	proof, err := tlog.ProveTree(tree.N, old.N, tlog.TileHashReader(tree, a))
	if err != nil {
		t.Fatal(err)
	}
	v.Consistency = proof
	for _, r := range refs {
		v.Shown = append(v.Shown, w.view(t, r))
	}
	broken := func(why string, n int, alter func(*ledger.EntryView)) {
		s := again(t, v.Shown[n])
		alter(&s)
		v.Broken = append(v.Broken, brokenEntry{why, s})
	}
	broken("another count in the body", 0, func(s *ledger.EntryView) {
		s.Entry = bytes.Replace(s.Entry, []byte(`"records": 1`), []byte(`"records": 9`), 1)
		s.Entry = bytes.Replace(s.Entry, []byte(`"records":1`), []byte(`"records":9`), 1)
	})
	broken("a bit of the nonce", 0, func(s *ledger.EntryView) { s.Nonce[0] ^= 1 })
	broken("another index", 0, func(s *ledger.EntryView) { s.Index = 1 })
	broken("under another's id", 0, func(s *ledger.EntryView) { s.ID = v.Shown[4].ID })
	broken("the path of a sibling", 1, func(s *ledger.EntryView) { s.Sub.Path = v.Shown[2].Sub.Path })
	broken("another ordinal", 1, func(s *ledger.EntryView) { s.Sub.Ordinal = 2 })
	broken("the leaf's entry of another leaf", 1, func(s *ledger.EntryView) { s.Sub.LeafEntry = v.Shown[0].Entry })
	broken("no checkpoint", 4, func(s *ledger.EntryView) { s.Checkpoint = nil })
	broken("the root of the checkpoint", 4, func(s *ledger.EntryView) {
		text := strings.Replace(*s.Checkpoint, "\n7\n", "\n8\n", 1)
		s.Checkpoint = &text
	})
	broken("half of the proof", 4, func(s *ledger.EntryView) { s.Proof = s.Proof[1:] })
	for in, out := range map[string]string{`{ "b":1, "a":[true,null,"x"] }`: `{"a":[true,null,"x"],"b":1}`, `"\u00e9\u003c\/\"\\"`: `"é</\"\\"`,
		`1.5`: "", `1e3`: "", `-0`: "", `{"a":1,"a":2}`: "", `9007199254740992`: "", `"\n"`: "", `{"é":1}`: ""} {
		c := struct {
			In  string  `json:"in"`
			Out *string `json:"out"`
		}{In: in}
		if out != "" {
			c.Out = &out
		}
		v.Canonical = append(v.Canonical, c)
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorsFile, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// cosignedBy returns msg with the cosignature of another region's witness, as it answers it.
func cosignedBy(t *testing.T, witness *ledger.Keys, msg []byte) string {
	t.Helper()
	other := openLedger(t, openStore(t), sqlstore.Ledgers{}, ledger.Options{Keys: witness, Now: func() time.Time { return start.Add(time.Hour) },
		Peers: []ledger.Peer{{Origin: "domicile/ie1", LogKey: mustKeys(t, "ie1", 1).LogKey(), WitnessKey: mustKeys(t, "ie1", 1).WitnessKey()}}})
	line, err := other.AddCheckpoint(context.Background(), append([]byte("old 0\n\n"), msg...))
	if err != nil {
		t.Fatal(err)
	}
	v, err := ledger.NewVerifier(witness.WitnessKey())
	if err != nil {
		t.Fatal(err)
	}
	out := append(bytes.Clone(msg), line...)
	if _, err := note.Open(out, note.VerifierList(v)); err != nil {
		t.Fatal(err)
	}
	return string(out)
}
