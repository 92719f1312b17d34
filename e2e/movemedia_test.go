package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// keepsake is a recording or attachment of a traveller, by the client id of its record.
type keepsake struct {
	clientID string
	content  []byte
}

// withMedia sends a few for p: of a native record, and one of several megabytes of a vendor's message.
func (p *traveller) withMedia(t *testing.T, r *region, c *canaries) []keepsake {
	t.Helper()
	words := func(what string, size int) []byte {
		var b bytes.Buffer
		for b.Len() < size {
			b.WriteString(strings.Repeat(c.text(what)+" ", 3000))
		}
		return b.Bytes()
	}
	sid := "SM" + word()
	path := "/twilio/" + r.Sources["twilio"].ID
	body, h := twilioForm(call{body: m{"MessageSid": sid, "From": p.phone, "To": "+447700900001", "Body": c.text("text"), "NumMedia": "0", "SmsStatus": "received"}},
		r.Sources["twilio"].AuthToken, r.URL+path)
	r.send(t, "POST", path, h, body).want(t, 200)
	list := []keepsake{{p.native["id"].(string), words("an attachment", 200_000)}, {sid, words("a recording", 6<<20)}}
	for _, k := range list {
		r.putMedia(t, k.clientID, c.text("file name")+".mp3", k.content).want(t, 201)
	}
	return list
}

// wantKeepsakes fails t unless r has them, whole and by ranges.
func (r *region) wantKeepsakes(t *testing.T, list []keepsake) (all []kept) {
	t.Helper()
	for _, k := range list {
		got := r.byClientID(t, k.clientID)
		if len(got) != 1 || len(got[0].Media) != 1 {
			t.Fatalf("%s in %s: %+v", k.clientID, r.ID, got)
		}
		at := kept{Record: got[0].ID, Media: got[0].Media[0].ID}
		all = append(all, at)
		if a := r.getMedia(t, at).want(t, 200); !bytes.Equal(a.body, k.content) || a.header.Get("Content-Type") != "audio/mpeg" {
			t.Errorf("%s in %s reads as %d bytes of %s, want %d", k.clientID, r.ID, len(a.body), a.header.Get("Content-Type"), len(k.content))
		}
		h := bearer(r.APIToken)
		h["Range"] = "bytes=65530-131080"
		if a := r.send(t, "GET", "/api/v1/records/"+at.Record+"/media/"+at.Media, h, nil).want(t, 206); !bytes.Equal(a.body, k.content[65530:131081]) {
			t.Errorf("a range of %s in %s is something else", k.clientID, r.ID)
		}
	}
	return all
}

// blobsOf are the names of the blobs that a region keeps, unfinished ones too.
func (w *world) blobsOf(t *testing.T, r *region) (names []string) {
	t.Helper()
	if err := filepath.WalkDir(filepath.Join(w.data(r), "blobs"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(path, "med_") {
			names = append(names, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return names
}

// Recordings and attachments go along: also when both regions are killed in the middle, again and again.
// The new home has the same bytes; the old one shows none, and no byte lies anywhere in the clear.
func TestMediaMoveAndSurviveKill(t *testing.T) {
	kills := 4
	if soak {
		kills = 30
	}
	takes := map[string]time.Duration{"sqlite": 120 * time.Millisecond, "postgres": 500 * time.Millisecond}
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		v := &visit{c: newCanaries(), seen: map[string][]byte{}, w: w}
		p := newTraveller(t, w.region("ie1"), v.c, 60)
		list := p.withMedia(t, w.region("ie1"), v.c)
		w.region("ie1").wantKeepsakes(t, list)
		from, to := "ie1", "us1"
		cut := 0
		for i := range kills {
			olds := w.region(from).wantKeepsakes(t, list)
			for {
				done := make(chan int)
				go func() { _, _, code := w.tryMove(p.email, from, to); done <- code }()
				pause(within(takes[kind]))
				w.kill()
				code := <-done
				w.start()
				if code == 0 {
					break
				}
				if cut++; cut > 3*kills { // else it may be cut for ever
					break
				}
				if homes := p.homes(t, w); len(homes) > 1 {
					t.Fatalf("at home in %v", homes)
				} else if len(homes) == 1 {
					w.region(homes[0]).wantKeepsakes(t, list)
				}
				if cut%2 == 0 { // now and then it is cut more than once
					break
				}
			}
			if mv, errs, code := w.tryMove(p.email, from, to); code != 0 || mv.Records != p.records()+1 {
				t.Fatalf("the same call again: exit %d %+v %s", code, mv, errs)
			}
			if homes := p.homes(t, w); len(homes) != 1 || homes[0] != to {
				t.Fatalf("at home in %v after move %d, want %s", homes, i+1, to)
			}
			news := w.region(to).wantKeepsakes(t, list)
			for j, k := range olds {
				if k.Media == news[j].Media {
					t.Error("it has the same id in both regions")
				}
				if a := w.region(from).getMedia(t, k).want(t, 421); a.problem(t).Reason != "subject.moved" {
					t.Errorf("at the old home: %v", a)
				}
			}
			from, to = to, from
		}
		t.Logf("%d moves were cut short", cut)
		home := w.region(from)
		if n := len(w.blobsOf(t, home)); n < len(list) {
			t.Fatalf("%d blobs at home", n)
		}
		home.erase(t, home.find(t, "email", p.email), false)
		hay, found := newHaystack(v.c.list), sightings{}
		for _, r := range w.up.Regions {
			hay.inTree(t, found, w.data(r))
		}
		if w.pg != nil {
			hay.inTree(t, found, w.pg.data)
		}
		v.searchOutside(t, hay, found)
		found.report(t)
	})
}
