package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// kept is the answer to an upload.
type kept struct {
	Media, Record string
	Bytes         int
}

// putMedia sends a recording of the record that was named so.
func (r *region) putMedia(t testing.TB, clientID, name string, content []byte) answer {
	t.Helper()
	h := bearer(r.Sources["native"].Token)
	h["Content-Type"], h["Content-Disposition"] = "audio/mpeg", `attachment; filename="`+name+`"`
	return r.send(t, "PUT", "/v1/records/"+clientID+"/media", h, content)
}

func (r *region) getMedia(t testing.TB, k kept) answer {
	t.Helper()
	return r.api(t, "GET", "/records/"+k.Record+"/media/"+k.Media, nil)
}

// aMessage is a message of somebody, as a native record.
func aMessage(id, phone, text string) m {
	return m{"id": id, "kind": "message", "service": "messaging", "subjects": []m{{"type": "phone", "value": phone, "role": "sender"}}, "data": m{"body": text}}
}

// sendMedia brings a recording whose every word is a canary, and some that are refused.
func (v *visit) sendMedia(t *testing.T, ie1 *region) {
	t.Helper()
	word := func(what string) string { return v.c.text(what) }
	content := func(what string) []byte {
		var b bytes.Buffer
		for range 40 {
			b.WriteString(strings.Repeat(word(what)+" ", 100))
		}
		return b.Bytes()
	}
	call := v.c.collect(func() (m, string) {
		id := word("id of a record with a recording")
		body := aMessage(id, v.c.phone("phone of a recording"), word("text"))
		body["data"].(m)["from"] = body["subjects"].([]m)[0]["value"]
		return body, id
	})
	v.good = append(v.good, call)
	ie1.native(t, call.body)
	sound := content("content of a recording")
	var first kept
	for _, status := range []int{201, 200} {
		ie1.putMedia(t, call.clientID, word("file name")+".mp3", sound).want(t, status).into(t, &first)
	}
	v.media = append(v.media, mediaCall{first, sound})
	ie1.putMedia(t, call.clientID, word("file name of other content"), content("other content")).want(t, 409)
	ie1.putMedia(t, word("unknown client id"), word("file name of no record"), content("content of no record")).want(t, 404)
	for _, r := range v.w.up.Regions {
		if r.ID == "us1" {
			r.send(t, "PUT", "/v1/records/"+word("client id for another region")+"/media", bearer(ie1.Sources["native"].Token), content("content for another region")).want(t, 421)
		}
	}
	ie1.send(t, "PUT", "/v1/records/"+word("client id with a browser's key")+"/media", bearer(ie1.Sources["browser"].WriteKey), content("content with a browser's key")).want(t, 403)
	h := bearer(ie1.Sources["native"].Token)
	h["Content-Type"] = word("bad type") + "/" + word("bad type") + ";" + word("parameter")
	ie1.send(t, "PUT", "/v1/records/"+call.clientID+"/media?"+word("parameter's name")+"="+word("parameter's value"), h, content("content with bad settings")).want(t, 400)
}

// mediaCall is a recording that was kept.
type mediaCall struct {
	kept
	content []byte
}

// readMedia makes sure that recordings are there: what was dropped can't leak.
func (v *visit) readMedia(t *testing.T) {
	t.Helper()
	for _, c := range v.media {
		if a := v.w.region("ie1").getMedia(t, c.kept).want(t, 200); !bytes.Equal(a.body, c.content) {
			t.Errorf("a recording reads as %d bytes, want the %d that were sent", len(a.body), len(c.content))
		}
	}
}

// Recordings go with the person: at once, in every way to ask, and after kill -9.
func TestErasedMediaIsGone(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		ie1, c := w.region("ie1"), newCanaries()
		p := newPerson(c)
		p.live(t, ie1, c)
		sound := []byte(strings.Repeat(p.secret, 10_000))
		var k kept
		ie1.putMedia(t, p.messages[1], "call.mp3", sound).want(t, 201).into(t, &k)
		if a := ie1.getMedia(t, k).want(t, 200); !bytes.Equal(a.body, sound) {
			t.Fatalf("%d bytes, want %d", len(a.body), len(sound))
		}
		subject := ie1.find(t, "user_id", p.user)
		if a := ie1.api(t, "GET", "/subjects/"+subject+"/export?format=zip", nil).want(t, 200); !bytes.Contains(a.body, []byte("media/"+k.Media)) {
			t.Error("the export has no file of the recording")
		}
		r := ie1.erase(t, subject, false)
		check := func() {
			t.Helper()
			for _, method := range []string{"GET", "HEAD"} {
				a := ie1.api(t, method, "/records/"+k.Record+"/media/"+k.Media, nil).want(t, 410)
				if method == "GET" && a.problem(t).Receipt != r.Receipt {
					t.Errorf("a recording after the erasure: %v, want receipt %s", a, r.Receipt)
				}
			}
			if a := ie1.putMedia(t, p.messages[1], "call.mp3", sound); a.status != 404 && a.status != 410 {
				t.Errorf("a late retry of the upload: %v, want 404 or 410", a)
			}
			p.mustBeGone(t, ie1, subject, r.Receipt)
		}
		check()
		w.kill()
		w.start()
		ie1 = w.region("ie1")
		check()
	})
}

// Recordings that were acknowledged are there, once and whole, although the node was killed at random
// moments and clients sent them again.
func TestAckedMediaIsDurable(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		var mu sync.Mutex
		acked := map[string]int{} // client id → size; guarded by mu
		next := 0                 // guarded by mu
		for range 5 {
			ie1 := w.region("ie1")
			ctx, stop := context.WithCancel(t.Context())
			var clients sync.WaitGroup
			for range 4 {
				clients.Go(func() {
					for ctx.Err() == nil && !t.Failed() {
						mu.Lock()
						next++
						id := fmt.Sprintf("recorded-%d", next)
						mu.Unlock()
						size := 1 + rand.IntN(400_000)
						ie1.insist(t, "POST", "/v1/records", bearer(ie1.Sources["native"].Token), encode(t, []m{aMessage(id, "+353851234567", "hello")}))
						for range 1 + rand.IntN(4)/3 {
							insistMedia(t, ie1, id, sounding(id, size))
						}
						mu.Lock()
						acked[id] = size
						mu.Unlock()
					}
				})
			}
			pause(50*time.Millisecond + within(400*time.Millisecond))
			w.kill()
			w.start()
			pause(within(100 * time.Millisecond))
			stop()
			clients.Wait()
			if t.Failed() {
				return
			}
		}
		ie1 := w.region("ie1")
		for id, size := range acked {
			records := ie1.byClientID(t, id)
			if len(records) != 1 || len(records[0].Media) != 1 {
				t.Errorf("%s: %d records, want one with one recording", id, len(records))
				continue
			}
			a := ie1.getMedia(t, kept{Record: records[0].ID, Media: records[0].Media[0].ID}).want(t, 200)
			if !bytes.Equal(a.body, sounding(id, size)) {
				t.Errorf("%s: %d bytes, others than the %d that were acknowledged", id, len(a.body), size)
			}
		}
		t.Logf("%d recordings acknowledged over 5 kills", len(acked))
	})
}

// insistMedia sends until it is acknowledged, as clients do.
func insistMedia(t testing.TB, r *region, clientID string, content []byte) {
	t.Helper()
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); pause(15 * time.Millisecond) {
		a, err := r.try("PUT", "/v1/records/"+clientID+"/media", bearer(r.Sources["native"].Token), content)
		switch {
		case err != nil:
			last = err.Error()
		case a.status == 200 || a.status == 201:
			return
		case a.status == 429 || a.status >= 500:
			last = a.String()
		default:
			t.Errorf("PUT media: %v, which makes a client throw its data away", a)
			return
		}
	}
	t.Errorf("PUT media: not acknowledged in %v: %s", patience, last)
}

// sounding is content that is another for every id.
func sounding(id string, size int) []byte {
	seed := [32]byte{}
	copy(seed[:], id)
	b := make([]byte, size)
	_, _ = rand.NewChaCha8(seed).Read(b)
	return b
}

// Two nodes that share their blobs: what one takes the other lists and shows, until one of them erases.
func TestMediaOfTwoNodes(t *testing.T) {
	a, b := twoNodes(t, fmt.Sprintf("blobs: {store: 'file:%s'}", t.TempDir()))
	a.native(t, aMessage("m1", "+353851234567", "hello"))
	subject := b.find(t, "phone", "+353851234567")
	if got := b.records(t, subject); len(got) != 1 || len(got[0].Media) != 0 {
		t.Fatalf("before: %+v", got)
	}
	sound := sounding("m1", 3<<20)
	var k kept
	a.putMedia(t, "m1", "call.mp3", sound).want(t, 201).into(t, &k)
	if got := b.records(t, subject); len(got) != 1 || len(got[0].Media) != 1 || got[0].Media[0].ID != k.Media {
		t.Errorf("the other node lists %+v", got)
	}
	for _, r := range []*region{a, b} {
		if got := r.getMedia(t, k).want(t, 200); !bytes.Equal(got.body, sound) {
			t.Errorf("%d bytes, want %d", len(got.body), len(sound))
		}
		r.putMedia(t, "m1", "call.mp3", sound).want(t, 200)
	}
	b.erase(t, subject, false)
	a.getMedia(t, k).want(t, 410)
}

// A second node that has a folder of its own alone, beside the one that the region knows, says so and
// goes on without.
func TestMediaOfANodeThatHasNoPlace(t *testing.T) {
	a, b := twoNodes(t)
	a.native(t, aMessage("m1", "+353851234567", "hello"))
	var k kept
	a.putMedia(t, "m1", "call.mp3", []byte("sound")).want(t, 201).into(t, &k)
	a.getMedia(t, k).want(t, 200)
	for _, got := range []answer{b.getMedia(t, k), b.putMedia(t, "m1", "call.mp3", []byte("sound"))} {
		if p := got.want(t, 503).problem(t); p.Reason != "blob.no_store" || got.header.Get("Retry-After") == "" {
			t.Errorf("the other node answers %v", got)
		}
	}
	if len(b.byClientID(t, "m1")) != 1 {
		t.Error("the other node doesn't read records")
	}
}

// A recording of 256 MB takes next to no memory, in and out, beyond what three idle regions have had.
func TestLargeMediaTakeLittleMemory(t *testing.T) {
	const size, more = 256 << 20, 24 << 20
	w := newWorld(t, "sqlite")
	ie1 := w.region("ie1")
	ie1.native(t, aMessage("m1", "+353851234567", "hello"))
	most := peakMemory(t, w.cmd.Process.Pid) + more
	client := &http.Client{Timeout: 3 * patience}
	call := func(method, path, key string, body io.Reader, length int64) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, ie1.URL+path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = length
		req.Header.Set("Authorization", "Bearer "+key)
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	var k kept
	for _, want := range []int{201, 200} { // and once more, to be compared
		res := call("PUT", "/v1/records/m1/media", ie1.Sources["native"].Token, io.LimitReader(rand.NewChaCha8([32]byte{3}), size), size)
		err := json.NewDecoder(res.Body).Decode(&k)
		res.Body.Close()
		if err != nil || res.StatusCode != want {
			t.Fatalf("%d, %v, want %d", res.StatusCode, err, want)
		}
	}
	res := call("GET", "/api/v1/records/"+k.Record+"/media/"+k.Media, ie1.APIToken, nil, 0)
	sent, got := sha256.New(), sha256.New()
	_, err := io.Copy(got, res.Body)
	res.Body.Close()
	_, _ = io.Copy(sent, io.LimitReader(rand.NewChaCha8([32]byte{3}), size))
	if err != nil || !bytes.Equal(got.Sum(nil), sent.Sum(nil)) {
		t.Errorf("it reads otherwise than it was sent, %v", err)
	}
	if peak := peakMemory(t, w.cmd.Process.Pid); peak > most {
		t.Errorf("the node took %d MB at most for a recording of %d MB, want %d", peak>>20, size>>20, most>>20)
	}
}

// peakMemory is the most bytes that a process ever had resident.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kb int64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		t.Fatal(err)
	}
	return kb << 10
}
