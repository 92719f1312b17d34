package plane_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest"
	"domicile.dev/internal/store/storetest/pgtest"
	"domicile.dev/internal/transit"
)

const (
	annsPhone = "+353851234567"
	bobsPhone = "+353851234568"
)

// wantListed fails t unless the person has exactly these media, by client id of their record and
// number, and each reads as what was sent.
func (w *world) wantListed(s id.Subject, want map[string][]byte) {
	w.t.Helper()
	got := 0
	for _, v := range w.records(s) {
		for _, m := range v.Media {
			got++
			b, sent := want[fmt.Sprintf("%s/%d", v.ClientID, m.N)]
			if !sent || m.Bytes != int64(len(b)) || m.Type != "audio/mpeg" || m.Name != "call of ann.mp3" {
				w.t.Errorf("%s of %s: %+v", m.ID, v.ClientID, m)
			}
			w.wantMedia(plane.MediaKept{ID: m.ID, Record: v.ID}, b)
		}
	}
	if got != len(want) {
		w.t.Errorf("%d media in %s, want %d", got, w.region, len(want))
	}
}

func (w *world) rowsOf(query string, args ...any) (n int64) {
	w.t.Helper()
	if err := w.db.View(context.Background(), func(tx store.Tx) error {
		return tx.(sqlstore.Conn).Query(query, func(r sqlstore.Row) error { n = r.Int(0); return nil }, args...)
	}); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// cleared fails t unless no media, and nothing that names some, is left after the sweep.
func (w *world) cleared(what string) {
	w.t.Helper()
	if err := w.SweepOnce(context.Background(), w.now.Add(time.Hour)); err != nil {
		w.t.Fatal(err)
	}
	if n := w.blobNames(); len(n) != 0 {
		w.t.Errorf("%s: blobs %v are left", what, n)
	}
	for _, table := range []string{"media", "media_key", "arrived_media", "arrived_record"} {
		if n := w.rowsOf(`SELECT count(*) FROM ` + table); n != 0 {
			w.t.Errorf("%s: %d rows of %s are left", what, n, table)
		}
	}
}

func TestMediaGoAlong(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		ctx := context.Background()
		r.ie.send(r.ie.nat, "", said("m1", annsPhone))
		r.ie.send(r.ie.nat, "", said("m2", annsPhone))
		want := map[string][]byte{"m1/0": sound(300_000), "m1/7": sound(1), "m2/0": sound(70_000)}
		r.ie.keep(upload("m1", want["m1/0"]))
		seventh := upload("m1", want["m1/7"])
		seventh.N = 7
		r.ie.keep(seventh)
		last := r.ie.keep(upload("m2", want["m2/0"]))
		s := r.ie.find("phone", annsPhone)
		done, err := r.carry(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, restarted := range []bool{false, true} {
			if restarted {
				r.us.restart()
			}
			r.us.wantListed(done.Subject, want)
		}
		_, err = r.ie.readMedia(last, "")
		wantKind(t, "read at the old home", err, fault.WrongRegion, "subject.moved")
		_, err = r.ie.PutMedia(ctx, r.ie.nat, upload("m1", sound(10)))
		wantKind(t, "an upload at the old home", err, fault.WrongRegion, "subject.moved")
		again := r.us.keep(upload("m2", want["m2/0"]))
		if !again.Already || !again.ReceivedAt.Equal(last.ReceivedAt) {
			t.Errorf("the same sent again at the new home: %+v", again)
		}
		m, err := r.us.OpenMedia(ctx, r.us.caller, again.Record, again.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		part := make([]byte, 100)
		if _, err := m.Seek(65_500, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(m, part); err != nil || !bytes.Equal(part, want["m2/0"][65_500:65_600]) {
			t.Errorf("a part: %v", err)
		}
		_ = m.Close()
		r.ie.cleared("the old home")
		if n := r.us.rowsOf(`SELECT count(*) FROM arrived_record`); n != 0 {
			t.Errorf("%d rows still say which record became which", n)
		}
		back, err := carry(r.us, r.ie, done.Subject)
		if err != nil {
			t.Fatal(err)
		}
		r.ie.wantListed(back.Subject, want)
		r.us.cleared("the home in between")
		r.ie.erase(back.Subject)
		r.ie.cleared("after an erasure")
	})
}

// ofBoth is what the tenant sent to Ann and Bob: each has it.
func ofBoth(client string) string {
	return oneLine(fmt.Sprintf(`{"id":%q,"kind":"message","service":"messaging","occurred_at":"2026-11-22T10:00:00Z",
		"subjects":[{"type":"phone","value":%q,"role":"recipient"},{"type":"phone","value":%q,"role":"recipient"}],
		"data":{"from":"+447700900101","body":"hi","status":"sent"}}`, client, annsPhone, bobsPhone))
}

// What several have goes with one of them, and stays with the others.
func TestMediaOfSeveralGoWithOne(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		r.ie.send(r.ie.nat, "", ofBoth("m1"))
		b := sound(100_000)
		k := r.ie.keep(upload("m1", b))
		ann := r.ie.find("phone", annsPhone)
		if r.ie.find("phone", bobsPhone) == ann || r.ie.rowsOf(`SELECT count(*) FROM media_key`) != 2 {
			t.Fatal("they don't share it")
		}
		done, err := r.carry(ann)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.ie.SweepOnce(context.Background(), r.ie.now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		r.ie.wantMedia(k, b)
		r.us.wantListed(done.Subject, map[string][]byte{"m1/0": b})
		if n := r.ie.rowsOf(`SELECT count(*) FROM media_key`); n != 1 {
			t.Errorf("%d keys are left, want that of who stays", n)
		}
		other, err := r.carry(r.ie.find("phone", bobsPhone))
		if err != nil {
			t.Fatal(err)
		}
		r.us.wantListed(other.Subject, map[string][]byte{"m1/0": b})
		r.ie.cleared("when both have left")
	})
}

// What comes when everything was carried goes along before the source lets go.
func TestMediaThatComeMeanwhileGoAlong(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		ctx := context.Background()
		r.ie.send(r.ie.nat, "", said("m1", annsPhone))
		s := r.ie.find("phone", annsPhone)
		_, _, ack := r.upToCommit(t, s)
		b := sound(100_000)
		k := r.ie.keep(upload("m1", b))
		_, err := r.ie.CommitMove(ctx, r.ie.caller, ack)
		wantKind(t, "commit", err, fault.Conflict, "move.behind")
		r.ie.wantMedia(k, b)
		forged := ack
		forged.Media = bytes.Repeat([]byte{1}, 32)
		_, err = r.ie.CommitMove(ctx, r.ie.caller, forged)
		wantKind(t, "a forged digest", err, fault.Conflict, "move.bad_ack")
		done, err := r.carry(s)
		if err != nil {
			t.Fatal(err)
		}
		r.us.wantListed(done.Subject, map[string][]byte{"m1/0": b})
	})
}

// What was sealed for one place doesn't come to another, what was cut leaves nothing, and what comes
// twice is there once.
func TestMediaComeToTheirPlaceOnce(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		ctx := context.Background()
		r.ie.send(r.ie.nat, "", said("m1", annsPhone))
		b := sound(200_000)
		k := r.ie.keep(upload("m1", b))
		s := r.ie.find("phone", annsPhone)
		a, err := r.us.OpenMove(ctx, r.us.caller, "ie1")
		if err != nil {
			t.Fatal(err)
		}
		l, err := r.ie.BeginMove(ctx, r.ie.caller, s, "us1", a.Move, a.Public)
		if err != nil {
			t.Fatal(err)
		}
		at := plane.MediumAt{Record: k.Record, Media: k.ID, Bytes: k.Bytes}
		sealed, err := sealedMedium(r.ie, l.Move, at)
		if err != nil || bytes.Contains(sealed, b[:32]) {
			t.Fatalf("it isn't sealed, %v", err)
		}
		take := func(rec id.Record, n int, sealed []byte) error {
			return r.us.TakeMedium(ctx, r.us.caller, l.Move, rec, n, bytes.NewReader(sealed))
		}
		wantKind(t, "before its record", take(k.Record, 0, sealed), fault.Conflict, "move.no_record")
		if missing, err := r.us.MissingMedia(ctx, r.us.caller, l.Move, []plane.MediumAt{at}); err != nil || len(missing) != 0 {
			t.Errorf("missing before the record came: %+v, %v", missing, err)
		}
		if _, err = r.us.TakePage(ctx, r.us.caller, l.Move, 0, l.Hello); err != nil {
			t.Fatal(err)
		}
		page, err := r.ie.MovePage(ctx, r.ie.caller, l.Move, 1, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err = r.us.TakePage(ctx, r.us.caller, l.Move, 1, page.Sealed); err != nil {
			t.Fatal(err)
		}
		if missing, err := r.us.MissingMedia(ctx, r.us.caller, l.Move, []plane.MediumAt{at}); err != nil || len(missing) != 1 {
			t.Errorf("missing: %+v, %v", missing, err)
		}
		flipped := bytes.Clone(sealed)
		flipped[len(flipped)-1] ^= 1
		wantKind(t, "another number", take(k.Record, 1, sealed), fault.Invalid, "move.altered")
		wantKind(t, "a number that can't be", take(k.Record, 100, sealed), fault.Invalid, "media.bad_number")
		wantKind(t, "altered at the end", take(k.Record, 0, flipped), fault.Invalid, "move.altered")
		wantKind(t, "cut", take(k.Record, 0, sealed[:len(sealed)-1]), fault.Invalid, "media.cut_short")
		wantKind(t, "cut at a frame", take(k.Record, 0, sealed[:len(sealed)-20-200_000%(64<<10)]), fault.Invalid, "media.cut_short")
		wantKind(t, "nothing", take(k.Record, 0, nil), fault.Invalid, "media.cut_short")
		if n := r.us.blobNames(); len(n) != 0 {
			t.Errorf("blobs %v after what was refused", n)
		}
		for range 2 {
			if err := take(k.Record, 0, sealed); err != nil {
				t.Fatal(err)
			}
		}
		if n := r.us.blobNames(); len(n) != 1 {
			t.Errorf("blobs %v, want one", n)
		}
		if missing, err := r.us.MissingMedia(ctx, r.us.caller, l.Move, []plane.MediumAt{at}); err != nil || len(missing) != 0 {
			t.Errorf("missing when all has come: %+v, %v", missing, err)
		}
		_, err = r.ie.MoveMedium(ctx, r.ie.caller, l.Move, k.Record, 1)
		wantKind(t, "a medium that isn't", err, fault.NotFound, "media.unknown")
		// Nothing of it is seen before the person is at home here.
		if _, err := r.us.RecordsByClientID(ctx, r.us.caller, "m1", ""); fault.KindOf(err) != fault.NotFound {
			t.Errorf("seen before: %v", err)
		}
		// Called off, nothing of it is left.
		proof, err := r.ie.CancelMove(ctx, r.ie.caller, l.Move, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.us.CancelMove(ctx, r.us.caller, l.Move, proof); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "of what was called off", take(k.Record, 0, sealed), fault.Conflict, "move.wrong_state")
		_, err = r.ie.MoveMedium(ctx, r.ie.caller, l.Move, k.Record, 0)
		wantKind(t, "from what was called off", err, fault.Conflict, "move.wrong_state")
		r.us.cleared("called off")
		r.ie.wantMedia(k, b)
	})
}

// A target with a smaller limit refuses, and keeps nothing.
func TestMediaOverTheLimitStay(t *testing.T) {
	r := newRegions(t, "", "")
	r.us.mediaBytes = 1000
	r.us.restart()
	r.ie.send(r.ie.nat, "", said("m1", annsPhone))
	k := r.ie.keep(upload("m1", sound(1001)))
	_, err := r.carry(r.ie.find("phone", annsPhone))
	wantKind(t, "move", err, fault.TooLarge, "media.too_large")
	r.ie.wantMedia(k, sound(1001))
	if n := r.us.blobNames(); len(n) != 0 {
		t.Errorf("blobs %v", n)
	}
}

// Who may open a move can seal a medium of their own making: what lies in the clear is held to its form.
func TestMediaAreNotTrusted(t *testing.T) {
	r := newRegions(t, "", "")
	ctx := context.Background()
	r.ie.send(r.ie.nat, "", said("m1", annsPhone))
	a, _, _ := r.upToCommit(t, r.ie.find("phone", annsPhone))
	rec := r.ie.records(r.ie.find("phone", annsPhone))[0].ID
	route := transit.Route{Move: a.Move, Tenant: "acme", From: "ie1", To: "us1"}
	for name, tt := range map[string]struct {
		about  transit.Medium
		reason string
	}{
		"an id that says something": {transit.Medium{ID: "ann@example.com", Bytes: 3, ReceivedAt: 1}, "move.malformed"},
		"the future":                {transit.Medium{ID: id.NewMedia().String(), Bytes: 3, ReceivedAt: r.us.now.Add(time.Hour).UnixMilli()}, "move.future"},
		"no time":                   {transit.Medium{ID: id.NewMedia().String(), Bytes: 3}, "move.malformed"},
		"no bytes":                  {transit.Medium{ID: id.NewMedia().String(), ReceivedAt: 1}, "move.malformed"},
	} {
		var b bytes.Buffer
		if err := transit.SealMedium(&b, a.Public, route, rec.String(), 0, tt.about, strings.NewReader("abc")); err != nil {
			t.Fatal(err)
		}
		wantKind(t, name, r.us.TakeMedium(ctx, r.us.caller, a.Move, rec, 0, &b), fault.Invalid, tt.reason)
	}
	if n := r.us.blobNames(); len(n) != 0 {
		t.Errorf("blobs %v", n)
	}
}

// Whichever write of whichever store fails, the person's media are whole in one region, and after
// another try in the target, once.
func TestAMoveWithMediaIsWholeWhateverWriteFails(t *testing.T) {
	for _, tt := range []struct {
		store string
		every int
	}{{"sqlite", 1}, {"postgres", 14}} {
		for _, broken := range []string{"ie1", "us1"} {
			for _, when := range []storetest.When{storetest.Before, storetest.After} {
				t.Run(tt.store+" "+broken+" "+string(when), func(t *testing.T) { mediaMoveFails(t, tt.store, broken, when, tt.every) })
			}
		}
	}
}

func mediaMoveFails(t *testing.T, engine, broken string, when storetest.When, every int) {
	want := map[string][]byte{"m1/0": sound(70_000)}
	for step := 1; ; step += every {
		var urls [2]string
		if engine == "postgres" {
			urls[0], urls[1] = pgtest.URL(t), pgtest.URL(t)
		}
		r := newRegions(t, urls[0], urls[1])
		r.ie.send(r.ie.nat, "", said("m1", annsPhone))
		r.ie.keep(upload("m1", want["m1/0"]))
		s := r.ie.find("phone", annsPhone)
		w := map[string]*world{"ie1": r.ie, "us1": r.us}[broken]
		w.close()
		var f *storetest.Faults
		w.open(func(db store.DB) store.DB { f = storetest.NewFaults(db); return f })
		f.FailAt(step, when)
		_, err := r.carry(s)
		if !f.Fired() {
			if err != nil || step < 6 {
				t.Fatalf("without a fault, after %d writes: %v", step-1, err)
			}
			return
		}
		if err == nil {
			t.Fatalf("write %d failed and nobody was told", step)
		}
		if step%2 == 0 {
			r.ie.restart()
			r.us.restart()
		}
		done, err := r.carry(s)
		if err != nil {
			t.Fatalf("write %d: second try: %v", step, err)
		}
		r.us.wantListed(done.Subject, want)
		r.ie.cleared(fmt.Sprintf("write %d", step))
		if err := r.us.SweepBlobsOnce(context.Background(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if n := r.us.blobNames(); len(n) != 1 {
			t.Errorf("write %d: blobs %v, want one", step, n)
		}
		r.us.wantListed(done.Subject, want)
		r.ie.close()
		r.us.close()
	}
}

// The same for what goes wrong with the blob.
func TestAMoveGoesOnAfterItsBlobFailed(t *testing.T) {
	for _, at := range []string{"create", "write", "before commit", "after commit"} {
		t.Run(at, func(t *testing.T) {
			r := newRegions(t, "", "")
			r.ie.send(r.ie.nat, "", said("m1", annsPhone))
			r.ie.keep(upload("m1", sound(70_000)))
			s := r.ie.find("phone", annsPhone)
			f := &failingBlobs{Store: r.us.blobStore, at: at}
			r.us.Parts.Blobs = f
			_, err := r.carry(s)
			wantKind(t, "move", err, fault.Unavailable, map[bool]string{true: "store.full", false: "blob.store_away"}[at == "write"])
			f.at = ""
			done, err := r.carry(s)
			if err != nil {
				t.Fatal(err)
			}
			r.us.wantListed(done.Subject, map[string][]byte{"m1/0": sound(70_000)})
		})
	}
}

// What its vendor has still to give keeps the person; once fetched it goes along by the same move.
func TestWhatWasFetchedGoesAlong(t *testing.T) {
	r := newRegions(t, "", "")
	r.us.rules = exampleRules(t)
	r.us.restart()
	v := withVendor(t, r.ie)
	v.src.ID = "src_ie1_twilio"
	r.ie.receive(v.src, "SM1", "https://api.twilio.com/m0")
	s := r.ie.find("phone", annsPhone)
	r.stays(t, s, "move.media_pending", "SM1")
	r.ie.fetchAll()
	done, err := r.carry(s)
	if err != nil {
		t.Fatal(err)
	}
	got := r.us.records(done.Subject)
	if len(got) != 1 || len(got[0].Media) != 1 || got[0].Media[0].Type != "image/jpeg" {
		t.Fatalf("records %+v", got)
	}
	r.us.wantMedia(plane.MediaKept{ID: got[0].Media[0].ID, Record: got[0].ID}, v.has["https://api.twilio.com/m0"])
	r.ie.cleared("the old home")
}
