package plane_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/media"
	"domicile.dev/internal/media/objects"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
)

// sound is n bytes that are different in every place.
func sound(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(b)
	return b
}

func upload(client string, b []byte) plane.MediaUpload {
	return plane.MediaUpload{ClientID: client, Type: "audio/mpeg", Name: "call of ann.mp3", Length: int64(len(b)), Body: bytes.NewReader(b)}
}

func (w *world) keep(up plane.MediaUpload) plane.MediaKept {
	w.t.Helper()
	kept, err := w.PutMedia(context.Background(), w.nat, up)
	if err != nil {
		w.t.Fatalf("PutMedia: %v", err)
	}
	return kept
}

func (w *world) readMedia(k plane.MediaKept, purpose string) ([]byte, error) {
	m, err := w.OpenMedia(context.Background(), w.caller, k.Record, k.ID, purpose)
	if err != nil {
		return nil, err
	}
	defer func() { _ = m.Close() }()
	return io.ReadAll(m)
}

func (w *world) wantMedia(k plane.MediaKept, want []byte) {
	w.t.Helper()
	if got, err := w.readMedia(k, ""); err != nil || !bytes.Equal(got, want) {
		w.t.Errorf("read %d bytes, %v, want the %d that were sent", len(got), err, len(want))
	}
}

// said is a message of somebody.
func said(id, phone string) string {
	return oneLine(message(id, phone, "sender", "+447700900101", "own", "hi"))
}

// blobNames are all blobs there are, unfinished ones too.
func (w *world) blobNames() (names []string) {
	w.t.Helper()
	if err := w.blobStore.List(context.Background(), func(l media.Listed) error {
		if !strings.HasPrefix(l.Name, "stamp/") {
			names = append(names, l.Name)
		}
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
	return names
}

func (w *world) outcomes(service string) map[string]int64 {
	w.t.Helper()
	s, err := w.Stats(context.Background(), w.caller, time.Time{})
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]int64{}
	for _, c := range s.Counts {
		if c.Kind == "media" && (service == "" || c.Service == service) {
			out[strings.TrimSuffix(c.Outcome+" "+c.Reason, " ")] += c.N
		}
	}
	return out
}

func TestMediaIsReadAsItWasSentAndListedWithItsRecord(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.nat, "", said("m1", "+353851234567"))
		who := w.find("phone", "+353851234567")
		if got := w.records(who); len(got) != 1 || len(got[0].Media) != 0 {
			t.Fatalf("before: %+v", got)
		}
		var kept []plane.MediaKept
		for n, size := range []int{1, seal.BlobChunk - 1, seal.BlobChunk, seal.BlobChunk + 1, 3*seal.BlobChunk + 7} {
			up := upload("m1", sound(size))
			up.N = n
			k := w.keep(up)
			if k.Already || k.Bytes != int64(size) || k.N != n {
				t.Errorf("kept %+v, want %d bytes as number %d", k, size, n)
			}
			kept = append(kept, k)
		}
		w.restart()
		for _, k := range kept {
			w.wantMedia(k, sound(int(k.Bytes)))
		}
		got := w.records(who)
		if len(got) != 1 || len(got[0].Media) != len(kept) {
			t.Fatalf("listed %+v", got)
		}
		for i, m := range got[0].Media {
			if m.ID != kept[i].ID || m.N != i || m.Bytes != kept[i].Bytes || m.Type != "audio/mpeg" || m.Name != "call of ann.mp3" || m.ReceivedAt.IsZero() {
				t.Errorf("media %d: %+v", i, m)
			}
		}
		by, err := w.RecordsByClientID(context.Background(), w.caller, "m1", "")
		if err != nil || len(by) != 1 || len(by[0].Media) != len(kept) {
			t.Errorf("by client id: %+v, %v", by, err)
		}
		var exported int
		if _, err := w.Export(context.Background(), w.caller, who, "", func(v plane.RecordView) error { exported += len(v.Media); return nil }); err != nil || exported != len(kept) {
			t.Errorf("exported %d, %v", exported, err)
		}
	})
}

func TestMediaIsReadFromAnywhere(t *testing.T) {
	w := newWorld(t, "")
	w.send(w.nat, "", said("m1", "+353851234567"))
	b := sound(5*seal.BlobChunk + 100)
	k := w.keep(upload("m1", b))
	m, err := w.OpenMedia(context.Background(), w.caller, k.Record, k.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	for range 200 {
		from := rand.IntN(len(b) + 1)
		n := rand.IntN(len(b) - from + 1)
		if _, err := m.Seek(int64(from), io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, n)
		if _, err := io.ReadFull(m, got); err != nil && n > 0 || !bytes.Equal(got, b[from:from+n]) {
			t.Fatalf("%d bytes from %d: %v, or others than were sent", n, from, err)
		}
	}
}

func TestTheSameMediaAgainIsAnsweredAsBeforeAndOtherIsRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.nat, "", said("m1", "+353851234567"))
		b := sound(200_000)
		first := w.keep(upload("m1", b))
		w.restart()
		again := w.keep(upload("m1", b))
		if !again.Already || again.ID != first.ID || again.ReceivedAt != first.ReceivedAt || again.Bytes != first.Bytes || again.Record != first.Record {
			t.Errorf("again: %+v, first: %+v", again, first)
		}
		for _, other := range [][]byte{b[:len(b)-1], append(bytes.Clone(b), 1), sound(10)} {
			_, err := w.PutMedia(context.Background(), w.nat, upload("m1", other))
			wantKind(t, "other bytes", err, fault.Conflict, "media.differs")
		}
		w.wantMedia(first, b)
		if n := w.blobNames(); len(n) != 1 {
			t.Errorf("blobs %v, want one", n)
		}
		if got := w.outcomes(""); got["accepted"] != 1 || got["duplicate"] != 1 || got["refused media.differs"] != 3 {
			t.Errorf("counted %v", got)
		}
	})
}

func TestMediaSentTwiceAtOnceIsThereOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.nat, "", said("m1", "+353851234567"))
		b := sound(300_000)
		var all sync.WaitGroup
		var mu sync.Mutex
		ids := map[id.Media]int{}
		for range 4 {
			all.Go(func() {
				k, err := w.PutMedia(context.Background(), w.nat, upload("m1", b))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				ids[k.ID]++
				mu.Unlock()
			})
		}
		all.Wait()
		if n := w.blobNames(); len(ids) != 1 || len(n) != 1 {
			t.Errorf("answers %v, blobs %v, want one of each", ids, n)
		}
	})
}

func TestMediaOfNoRecordIsRefused(t *testing.T) {
	w := newWorld(t, "")
	w.mediaBytes = 1000
	w.restart()
	w.send(w.nat, "", said("m1", "+353851234567"))
	one := sound(10)
	for _, tt := range []struct {
		name   string
		up     plane.MediaUpload
		kind   fault.Kind
		reason string
	}{
		{"unknown client id", upload("m2", one), fault.NotFound, "record.unknown"},
		{"another kind", plane.MediaUpload{ClientID: "m1", Kind: "call", Body: bytes.NewReader(one)}, fault.NotFound, "record.unknown"},
		{"another service", plane.MediaUpload{ClientID: "m1", Kind: "voice/message", Body: bytes.NewReader(one)}, fault.NotFound, "record.unknown"},
		{"a negative number", plane.MediaUpload{ClientID: "m1", N: -1, Body: bytes.NewReader(one)}, fault.Invalid, "media.bad_number"},
		{"too high a number", plane.MediaUpload{ClientID: "m1", N: plane.MostMedia, Body: bytes.NewReader(one)}, fault.Invalid, "media.bad_number"},
		{"nothing", upload("m1", nil), fault.Invalid, "media.empty"},
		{"too large as it says", upload("m1", sound(1001)), fault.TooLarge, "media.too_large"},
		{"too large as it turns out", plane.MediaUpload{ClientID: "m1", Length: -1, Body: bytes.NewReader(sound(1001))}, fault.TooLarge, "media.too_large"},
		{"cut short", plane.MediaUpload{ClientID: "m1", Length: 500, Body: io.MultiReader(bytes.NewReader(one), broken{})}, fault.Invalid, "media.cut_short"},
	} {
		_, err := w.PutMedia(context.Background(), w.nat, tt.up)
		wantKind(t, tt.name, err, tt.kind, tt.reason)
		if got := w.outcomes("")["refused "+tt.reason]; got == 0 {
			t.Errorf("%s: not counted", tt.name)
		}
	}
	if n := w.blobNames(); len(n) != 0 {
		t.Errorf("blobs %v, want none", n)
	}
	if list, err := w.Refusals(context.Background(), w.caller); err != nil || len(list) != 5 {
		t.Errorf("refusals %+v, %v, want 5 reasons", list, err)
	}
	w.keep(plane.MediaUpload{ClientID: "m1", Kind: "messaging/message", Length: -1, Body: bytes.NewReader(sound(1000))})
}

// broken is a body whose client went away.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestErasureTakesMediaAlongAtOnceAndItsBytesWithTheSweep(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.nat, "", said("m1", "+353851234567"))
		w.send(w.nat, "", said("m2", "+353851234568"))
		b := sound(100_000)
		k, other := w.keep(upload("m1", b)), w.keep(upload("m2", b))
		m, err := w.OpenMedia(context.Background(), w.caller, k.Record, k.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		_ = m.Close()
		r := w.erase(w.find("phone", "+353851234567"))
		_, err = w.readMedia(k, "")
		wantKind(t, "read", err, fault.Gone, "subject.erased")
		if f, _ := fault.As(err); f == nil || f.Extra["receipt"] != r.Receipt {
			t.Errorf("read after the erasure: %v, want receipt %s", err, r.Receipt)
		}
		_, err = w.PutMedia(context.Background(), w.nat, upload("m1", b))
		if reason := fault.ReasonOf(err); reason != "record.unknown" && reason != "subject.erased" {
			t.Errorf("put after the erasure: %v", err)
		}
		if n := w.blobNames(); len(n) != 2 {
			t.Errorf("before the sweep: %v", n)
		}
		if err := w.SweepOnce(context.Background(), w.now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if n := w.blobNames(); len(n) != 1 || n[0] != media.Name(1, other.ID) {
			t.Errorf("after the sweep: %v, want that of the other person", n)
		}
		_, err = w.readMedia(k, "")
		wantKind(t, "read after the sweep", err, fault.NotFound, "media.unknown")
		w.wantMedia(other, b)
		var rows int64
		if err := w.db.View(context.Background(), func(tx store.Tx) error {
			return tx.(sqlstore.Conn).Query(`SELECT (SELECT count(*) FROM media) * 100 + (SELECT count(*) FROM media_key)`,
				func(r sqlstore.Row) error { rows = r.Int(0); return nil })
		}); err != nil || rows != 101 {
			t.Errorf("%d rows and keys, %v, want one of each", rows, err)
		}
	})
}

func TestWhatSeveralWereSentOpensUntilTheLastIsErased(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.nat, "", `{"id":"m1","kind":"message","service":"messaging","occurred_at":"2026-11-22T10:00:00Z","subjects":[`+
			`{"type":"phone","value":"+353851234567","role":"recipient"},{"type":"phone","value":"+353851234568","role":"recipient"}],"data":{"body":"to both"}}`)
		b := sound(100_000)
		k := w.keep(upload("m1", b))
		second := w.find("phone", "+353851234568")
		w.erase(w.find("phone", "+353851234567"))
		w.wantMedia(k, b)
		if err := w.SweepOnce(context.Background(), w.now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		w.wantMedia(k, b)
		if got := w.records(second); len(got) != 1 || len(got[0].Media) != 1 {
			t.Errorf("records of the second: %+v", got)
		}
		w.erase(second)
		_, err := w.readMedia(k, "")
		wantKind(t, "read", err, fault.Gone, "subject.erased")
		if err := w.SweepOnce(context.Background(), w.now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if n := w.blobNames(); len(n) != 0 {
			t.Errorf("blobs %v, want none", n)
		}
	})
}

func TestMediaOfMergedPeopleIsErasedAsOnePersons(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/track", `{"anonymousId":"n1","messageId":"m1","event":"Called","properties":{"a":"b"}}`)
		k := w.keep(upload("m1", sound(1000)))
		w.send(w.src, "/v1/identify", `{"userId":"u1","anonymousId":"n1","messageId":"m2","traits":{"email":"a@example.com"}}`)
		w.wantMedia(k, sound(1000))
		w.erase(w.find("email", "a@example.com"))
		_, err := w.readMedia(k, "")
		wantKind(t, "read", err, fault.Gone, "subject.erased")
	})
}

func TestMediaOfTheRestrictedIsKeptAndReadForAPurposeOnly(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.nat, "", said("m1", "+353851234567"))
		who := w.find("phone", "+353851234567")
		if _, err := w.Restrict(context.Background(), w.caller, who, "asked"); err != nil {
			t.Fatal(err)
		}
		k := w.keep(upload("m1", sound(1000)))
		if again := w.keep(upload("m1", sound(1000))); !again.Already {
			t.Error("a retry is no duplicate")
		}
		_, err := w.readMedia(k, "")
		wantKind(t, "read", err, fault.Forbidden, "subject.restricted")
		before := w.leaves()
		if b, err := w.readMedia(k, "legal-claims"); err != nil || len(b) != 1000 {
			t.Errorf("for legal claims: %d bytes, %v", len(b), err)
		}
		if n := w.leaves(); n != before+1 {
			t.Errorf("%d ledger entries for a read of a restricted person's media, want 1", n-before)
		}
	})
}

func TestMediaIsTheTenantsAlone(t *testing.T) {
	w := newWorld(t, "")
	w.send(w.nat, "", said("m1", "+353851234567"))
	w.send(w.nat, "", said("m2", "+353851234567"))
	k, k2 := w.keep(upload("m1", sound(1000))), w.keep(upload("m2", sound(1000)))
	w.caller.Tenant, w.caller.TenantID = 2, "globex"
	_, err := w.readMedia(k, "")
	wantKind(t, "another tenant", err, fault.NotFound, "media.unknown")
	w.caller.Tenant, w.caller.TenantID = 1, "acme"
	_, err = w.readMedia(plane.MediaKept{ID: k.ID, Record: k2.Record}, "")
	wantKind(t, "another record", err, fault.NotFound, "media.unknown")
}

func TestAReadingEndsWithTheErasure(t *testing.T) {
	w := newWorld(t, "")
	w.send(w.nat, "", said("m1", "+353851234567"))
	k := w.keep(upload("m1", sound(8<<20)))
	m, err := w.OpenMedia(context.Background(), w.caller, k.Record, k.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if _, err := io.ReadFull(m, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	w.erase(w.find("phone", "+353851234567"))
	n, err := io.Copy(io.Discard, m)
	wantKind(t, "reading on", err, fault.Gone, "subject.erased")
	if n > 2<<20 || m.Err() == nil {
		t.Errorf("%d bytes were read after the erasure, and Err is %v", n, m.Err())
	}
}

func TestAnAlteredBlobIsNeverShown(t *testing.T) {
	const sealed = seal.BlobChunk + seal.Overhead
	w := newWorld(t, "")
	w.send(w.nat, "", said("m1", "+353851234567"))
	w.send(w.nat, "", said("m2", "+353851234567"))
	b := sound(3 * seal.BlobChunk)
	k, other := w.keep(upload("m1", b)), w.keep(upload("m2", b))
	path := func(k plane.MediaKept) string {
		return filepath.Join(w.dir, "blobs", filepath.FromSlash(media.Name(1, k.ID)))
	}
	whole, err := os.ReadFile(path(k))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := os.ReadFile(path(other))
	if err != nil {
		t.Fatal(err)
	}
	head := len(seal.BlobTag)
	for name, change := range map[string]func(b []byte) []byte{
		"one bit":                func(b []byte) []byte { b[head+sealed+5] ^= 1; return b },
		"the last chunk cut off": func(b []byte) []byte { return b[:head+2*sealed] },
		"a byte cut off":         func(b []byte) []byte { return b[:len(b)-1] },
		"two chunks changed over": func(b []byte) []byte {
			return append(append(b[:head:head], b[head+sealed:head+2*sealed]...), append(bytes.Clone(b[head:head+sealed]), b[head+2*sealed:]...)...)
		},
		"a chunk of another blob": func(b []byte) []byte { copy(b[head:], foreign[head:head+sealed]); return b },
		"another blob":            func([]byte) []byte { return foreign },
	} {
		if err := os.WriteFile(path(k), change(bytes.Clone(whole)), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := w.readMedia(k, ""); err == nil || !bytes.HasPrefix(b, got) {
			t.Errorf("%s: read %d bytes, %v, want an error and nothing that is wrong", name, len(got), err)
		}
	}
	if err := os.Remove(path(k)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.readMedia(k, ""); err == nil {
		t.Error("a blob that is gone was read")
	}
}

func TestMediaIsKeptOnceWhateverWriteFails(t *testing.T) {
	var kept plane.MediaKept
	journey(t,
		func(w *world) { w.send(w.nat, "", said("m1", "+353851234567")) },
		func(w *world) (err error) {
			kept, err = w.PutMedia(context.Background(), w.nat, upload("m1", sound(100_000)))
			return err
		},
		func(t *testing.T, w *world) {
			w.wantMedia(kept, sound(100_000))
			if got := w.records(w.find("phone", "+353851234567")); len(got) != 1 || len(got[0].Media) != 1 || got[0].Media[0].ID != kept.ID {
				t.Errorf("records %+v, want one with one recording", got)
			}
			if err := w.SweepBlobsOnce(context.Background(), time.Now().Add(time.Hour)); err != nil {
				t.Error(err)
			}
			if n := w.blobNames(); len(n) != 1 {
				t.Errorf("blobs %v after the sweep, want one", n)
			}
		})
}

func TestErasingMediaIsFinishedWhateverWriteFails(t *testing.T) {
	journey(t,
		func(w *world) {
			w.send(w.nat, "", said("m1", "+353851234567"))
			w.keep(upload("m1", sound(1000)))
			w.erase(w.find("phone", "+353851234567"))
		},
		func(w *world) error { return w.SweepOnce(context.Background(), w.now.Add(time.Hour)) },
		func(t *testing.T, w *world) {
			if n := w.blobNames(); len(n) != 0 {
				t.Errorf("blobs %v, want none", n)
			}
			s, err := w.Stats(context.Background(), w.caller, time.Time{})
			if err != nil || s.OldestRemains != nil {
				t.Errorf("remains since %v, %v", s.OldestRemains, err)
			}
		})
}

func TestTheSweepTakesOldBlobsThatNothingNames(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.nat, "", said("m1", "+353851234567"))
		k := w.keep(upload("m1", sound(1000)))
		for _, commit := range []bool{true, false} { // died before the commit of the store; and of the blob
			b, err := w.blobStore.Create(t.Context(), media.Name(1, id.NewMedia()))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Write(sound(100)); err != nil {
				t.Fatal(err)
			}
			if commit {
				if err := b.Commit(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := os.WriteFile(filepath.Join(w.dir, "blobs", "README"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := w.SweepBlobsOnce(t.Context(), time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		if n := w.blobNames(); len(n) != 4 {
			t.Errorf("%v: what is young was removed", n)
		}
		if err := w.SweepBlobsOnce(t.Context(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if n := w.blobNames(); len(n) != 2 {
			t.Errorf("%v, want what is named, and what is no blob", n)
		}
		w.wantMedia(k, sound(1000))
	})
}

func TestUploadsAreBounded(t *testing.T) {
	w := newWorld(t, "")
	w.send(w.nat, "", said("m1", "+353851234567"))
	var open []*io.PipeWriter
	var all sync.WaitGroup
	for n := range 4 {
		r, in := io.Pipe()
		open = append(open, in)
		all.Go(func() {
			defer func() { _ = r.Close() }()
			if _, err := w.PutMedia(context.Background(), w.nat, plane.MediaUpload{ClientID: "m1", N: n, Length: -1, Body: r}); err != nil {
				t.Error(err)
			}
		})
		if _, err := in.Write([]byte("x")); err != nil { // it is being read
			t.Fatal(err)
		}
	}
	_, err := w.PutMedia(context.Background(), w.nat, plane.MediaUpload{ClientID: "m1", N: 5, Length: -1, Body: strings.NewReader("x")})
	wantKind(t, "one too many", err, fault.RateLimited, "media.busy")
	for _, in := range open {
		_ = in.Close()
	}
	all.Wait()
	w.keep(plane.MediaUpload{ClientID: "m1", N: 5, Length: -1, Body: strings.NewReader("x")})
}

// A recording never lies in memory whole, on its way in, out, and when it comes again.
func TestMemoryIsBounded(t *testing.T) {
	const size, most = 256 << 20, 24 << 20
	w := newWorld(t, "")
	w.send(w.nat, "", said("m1", "+353851234567"))
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	worst := uint64(0)
	look := func() {
		runtime.ReadMemStats(&now)
		worst = max(worst, now.HeapInuse-min(before.HeapInuse, now.HeapInuse))
	}
	var kept plane.MediaKept
	for range 2 {
		kept = w.keep(plane.MediaUpload{ClientID: "m1", Length: size, Body: &looking{n: size, look: look}})
	}
	m, err := w.OpenMedia(context.Background(), w.caller, kept.Record, kept.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	n, err := io.Copy(looker(look), m)
	if err != nil || n != size || !kept.Already {
		t.Fatalf("read %d, %v; the second time: %+v", n, err, kept)
	}
	if worst > most {
		t.Errorf("the heap grew by %d MiB for %d MiB of content, want %d at most", worst>>20, size>>20, most>>20)
	}
	t.Logf("the heap grew by %.1f MiB", float64(worst)/(1<<20))
}

type looking struct {
	n, read int
	look    func()
}

func (l *looking) Read(b []byte) (int, error) {
	if l.n == l.read {
		return 0, io.EOF
	}
	n := min(len(b), l.n-l.read)
	for i := range n {
		b[i] = byte(l.read + i)
	}
	if l.read>>23 != (l.read+n)>>23 {
		l.look()
	}
	l.read += n
	return n, nil
}

type looker func()

func (l looker) Write(b []byte) (int, error) {
	if rand.IntN(256) == 0 {
		l()
	}
	return len(b), nil
}

func TestABlobStoreBelongsToOneDatabase(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		bind := func(s media.Store, region string) error {
			return media.Bind(t.Context(), w.db, sqlstore.Metas{}, s, region)
		}
		for range 2 {
			if err := bind(w.blobStore, "ie1"); err != nil {
				t.Fatal(err)
			}
		}
		other := newWorld(t, "")
		wantKind(t, "other blobs", bind(other.blobStore, "ie1"), fault.Conflict, "blob.other_store")
		if err := media.Bind(t.Context(), other.db, sqlstore.Metas{}, other.blobStore, "us1"); err != nil {
			t.Fatal(err)
		}
		fresh := newWorld(t, "")
		wantKind(t, "another region's", media.Bind(t.Context(), fresh.db, sqlstore.Metas{}, other.blobStore, "ie1"), fault.Conflict, "blob.other_store")
		for range 2 {
			if err := media.Bind(t.Context(), fresh.db, sqlstore.Metas{}, other.blobStore, "us1"); err != nil {
				t.Errorf("a store that a node stamped and then died: %v", err)
			}
		}
		if err := media.Bind(t.Context(), other.db, sqlstore.Metas{}, other.blobStore, "us1"); err != nil {
			t.Errorf("the first database, after a second one began at the same time: %v", err)
		}
		w.send(w.nat, "", said("m1", "+353851234567"))
		w.keep(upload("m1", sound(10)))
		empty := newWorld(t, "")
		wantKind(t, "a new database", media.Bind(t.Context(), empty.db, sqlstore.Metas{}, w.blobStore, "ie1"), fault.Conflict, "blob.other_store")
	})
}

func TestWithoutAPlaceForBlobsNothingIsTaken(t *testing.T) {
	w := newWorld(t, "")
	w.send(w.nat, "", said("m1", "+353851234567"))
	k := w.keep(upload("m1", sound(10)))
	w.Parts.Blobs = nil
	_, err := w.PutMedia(context.Background(), w.nat, upload("m1", sound(10)))
	wantKind(t, "put", err, fault.Unavailable, "blob.no_store")
	_, err = w.readMedia(k, "")
	wantKind(t, "read", err, fault.Unavailable, "blob.no_store")
	w.erase(w.find("phone", "+353851234567"))
	if err := w.SweepOnce(context.Background(), w.now.Add(time.Hour)); fault.ReasonOf(err) != "blob.no_store" {
		t.Errorf("sweep: %v, want to hear that blobs are left", err)
	}
}

// server returns the address of a server that speaks S3, with one bucket.
func server(t *testing.T) string {
	t.Setenv("AWS_ACCESS_KEY_ID", "made-up")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "made-up")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	s3 := s3mem.New()
	srv := httptest.NewServer(gofakes3.New(s3).Server())
	t.Cleanup(srv.Close)
	if err := s3.CreateBucket("blobs"); err != nil {
		t.Fatal(err)
	}
	return "s3://blobs?region=eu-west-1&use_path_style=true&prefix=ie1/&endpoint=" + srv.URL
}

func TestMediaInABucket(t *testing.T) {
	w := newWorld(t, "")
	bucket, err := objects.Open(t.Context(), server(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := media.Bind(t.Context(), w.db, sqlstore.Metas{}, bucket, "ie1"); err != nil {
		t.Fatal(err)
	}
	if err := media.Bind(t.Context(), w.db, sqlstore.Metas{}, bucket, "ie1"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "the node's own folder", media.Bind(t.Context(), w.db, sqlstore.Metas{}, w.blobStore, "ie1"), fault.Conflict, "blob.other_store")
	w.blobStore, w.Parts.Blobs = bucket, bucket
	w.send(w.nat, "", said("m1", "+353851234567"))
	b := sound(12<<20 + 5) // three parts of an upload
	k := w.keep(upload("m1", b))
	w.wantMedia(k, b)
	if again := w.keep(upload("m1", b)); !again.Already || again.ID != k.ID {
		t.Errorf("again: %+v", again)
	}
	m, err := w.OpenMedia(context.Background(), w.caller, k.Record, k.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []int{len(b) - 3, 7 << 20, 0} {
		got := make([]byte, 3)
		if _, err := m.Seek(int64(from), io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(m, got); err != nil || !bytes.Equal(got, b[from:from+3]) {
			t.Errorf("from %d: %x, %v", from, got, err)
		}
	}
	_ = m.Close()
	_, err = w.PutMedia(context.Background(), w.nat, plane.MediaUpload{ClientID: "m1", N: 1, Length: -1, Body: io.MultiReader(bytes.NewReader(b), broken{})})
	wantKind(t, "cut short", err, fault.Invalid, "media.cut_short")
	if n := w.blobNames(); len(n) != 1 {
		t.Errorf("blobs %v, want one", n)
	}
	w.erase(w.find("phone", "+353851234567"))
	if err := w.SweepOnce(context.Background(), w.now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := w.SweepBlobsOnce(context.Background(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := w.blobNames(); len(n) != 0 {
		t.Errorf("blobs %v after the sweep, want none", n)
	}
	if err := media.Bind(t.Context(), w.db, sqlstore.Metas{}, bucket, "ie1"); err != nil {
		t.Errorf("after sweeps: %v", err)
	}
}
