package api_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/media"
	"domicile.dev/internal/media/files"
	dataplane "domicile.dev/internal/plane"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/api"
)

// mediaContent is what every recording of the pretended plane holds: two chunks and a half.
var mediaContent = func() []byte {
	b := make([]byte, 5*seal.BlobChunk/2)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return b
}()

func aMedia(m id.Media) dataplane.MediaView {
	return dataplane.MediaView{ID: m, Type: "application/octet-stream", Name: "Söme \"call\".mp3", Bytes: int64(len(mediaContent)), ReceivedAt: now}
}

var oneMedia = id.Media{1}

func withMedia(t testing.TB, p *plane) *plane {
	t.Helper()
	s, err := files.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p.blobs, p.key = s, seal.NewBlobKey()
	w, err := s.Create(t.Context(), media.Name(1, oneMedia))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := media.Copy(w, p.key, &seal.BlobPlace{Media: oneMedia}, bytes.NewReader(mediaContent), 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return p
}

var mediaURL = "/api/v1/records/" + aRecord(1).ID.String() + "/media/" + oneMedia.String()

func TestMediaIsAnsweredInRanges(t *testing.T) {
	w := newWorld(t)
	size := len(mediaContent)
	tag := `"` + oneMedia.String() + `"`
	modified := now.UTC().Format(http.TimeFormat)
	for _, tt := range []struct {
		name, method string
		header       []string
		status       int
		from, to     int // of the content, to excluded
		contentRange string
	}{
		{"whole", "GET", nil, 200, 0, size, ""},
		{"head", "HEAD", nil, 200, 0, 0, ""},
		{"the beginning", "GET", []string{"Range", "bytes=0-0"}, 206, 0, 1, fmt.Sprintf("bytes 0-0/%d", size)},
		{"over the border of chunks", "GET", []string{"Range", "bytes=65530-65545"}, 206, 65530, 65546, fmt.Sprintf("bytes 65530-65545/%d", size)},
		{"to the end", "GET", []string{"Range", "bytes=131072-"}, 206, 131072, size, fmt.Sprintf("bytes 131072-%d/%d", size-1, size)},
		{"the last bytes", "GET", []string{"Range", "bytes=-7"}, 206, size - 7, size, fmt.Sprintf("bytes %d-%d/%d", size-7, size-1, size)},
		{"beyond the end", "GET", []string{"Range", fmt.Sprintf("bytes=%d-", size)}, 416, 0, 0, fmt.Sprintf("bytes */%d", size)},
		{"no range at all", "GET", []string{"Range", "bytes=a-b"}, 416, 0, 0, ""},
		{"if it is still that one", "GET", []string{"Range", "bytes=5-9", "If-Range", tag}, 206, 5, 10, fmt.Sprintf("bytes 5-9/%d", size)},
		{"if it were another one", "GET", []string{"Range", "bytes=5-9", "If-Range", `"med_other"`}, 200, 0, size, ""},
		{"if it is as old", "GET", []string{"Range", "bytes=5-9", "If-Range", modified}, 206, 5, 10, fmt.Sprintf("bytes 5-9/%d", size)},
		{"known already", "GET", []string{"If-None-Match", tag}, 304, 0, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := w.do(tt.method, mediaURL, "", tt.header...)
			if r.status != tt.status || r.header.Get("Content-Range") != tt.contentRange {
				t.Fatalf("%d %v, want %d and Content-Range %q", r.status, r.header, tt.status, tt.contentRange)
			}
			if tt.status == 416 {
				if r.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(string(r.body), "request.bad_range") {
					t.Errorf("%v: %s, want a problem", r.header, r.body)
				}
				return
			}
			if !bytes.Equal(r.body, mediaContent[tt.from:tt.to]) {
				t.Errorf("%d bytes, others than %d to %d", len(r.body), tt.from, tt.to)
			}
			if r.header.Get("ETag") != tag {
				t.Errorf("ETag %q", r.header.Get("ETag"))
			}
			if tt.method == "HEAD" && r.header.Get("Content-Length") != fmt.Sprint(size) {
				t.Errorf("Content-Length %q", r.header.Get("Content-Length"))
			}
		})
	}
	r := w.do("GET", mediaURL, "")
	h := r.header
	if h.Get("Content-Type") != "application/octet-stream" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" ||
		h.Get("Content-Disposition") != "attachment; filename*=utf-8''S%C3%B6me%20%22call%22.mp3" || h.Get("Accept-Ranges") != "bytes" {
		t.Errorf("header %v", h)
	}
}

func TestMediaThatCannotBeReadIsAProblem(t *testing.T) {
	w := newWorld(t)
	for path, reason := range map[string]string{
		"/api/v1/records/rec_x/media/" + oneMedia.String():                      "record.bad_id",
		"/api/v1/records/" + aRecord(1).ID.String() + "/media/med_x":            "media.bad_id",
		mediaURL + "?purpose=curiosity":                                         "",
		"/api/v1/records/" + aRecord(1).ID.String() + "/media/?purpose=consent": "path.unknown",
	} {
		r := w.do("GET", path, "")
		if r.status < 400 || r.status >= 500 || reason != "" && !strings.Contains(string(r.body), reason) {
			t.Errorf("%s: %d %s, want %s", path, r.status, r.body, reason)
		}
	}
	w.plane.fail = fault.New(fault.Gone, "subject.erased", "erased").With("receipt", "rcp_x")
	for _, method := range []string{"GET", "HEAD"} {
		if r := w.do(method, mediaURL, ""); r.status != 410 {
			t.Errorf("%s: %d, want 410", method, r.status)
		}
	}
	w.plane.fail = nil
	if err := w.plane.blobs.Delete(t.Context(), media.Name(1, oneMedia)); err != nil {
		t.Fatal(err)
	}
	if r := w.do("GET", mediaURL, ""); r.status != 500 {
		t.Errorf("a blob that is gone: %d %s", r.status, r.body)
	}
	req, err := http.NewRequest("GET", w.url+mediaURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	req.Header.Set("Range", "bytes=0-10")
	res, err := w.client.Do(req)
	if err == nil {
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	if err == nil {
		t.Error("a range of a blob that is gone looks like a whole answer")
	}
}

func TestRecordsAndExportsHoldTheirMedia(t *testing.T) {
	w := newWorld(t)
	w.plane.records[0].Media = []dataplane.MediaView{aMedia(oneMedia)}
	page := w.do("GET", "/api/v1/subjects/"+sub+"/records", "").json(t)
	first := page["records"].([]any)[0].(map[string]any)
	list, _ := first["media"].([]any)
	if len(list) != 1 {
		t.Fatalf("record %v", first)
	}
	want := map[string]any{"id": oneMedia.String(), "n": 0.0, "type": "application/octet-stream", "name": "Söme \"call\".mp3", "bytes": float64(len(mediaContent)), "received_at": "2026-03-01T12:30:00.123Z"}
	if got := list[0].(map[string]any); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("media %v, want %v", got, want)
	}
	if second := page["records"].([]any)[1].(map[string]any); second["media"] != nil {
		t.Errorf("a record without any has %v", second["media"])
	}
	_, schemas := readDocument(t, w)
	check(t, schemas, "/components/schemas/PageBody", w.do("GET", "/api/v1/subjects/"+sub+"/records", "").body)
	r := w.do("GET", "/api/v1/subjects/"+sub+"/export?format=zip", "")
	fs, m := unzip(t, r)
	if !bytes.Equal(fs["media/"+oneMedia.String()], mediaContent) {
		t.Errorf("the archive has %d bytes of it", len(fs["media/"+oneMedia.String()]))
	}
	if listed := fmt.Sprint(m["files"]); !strings.Contains(listed, "media/"+oneMedia.String()) {
		t.Errorf("manifest %v", listed)
	}
	z, err := zip.NewReader(bytes.NewReader(r.body), int64(len(r.body)))
	if err != nil || z.File[len(z.File)-1].Name != "manifest.json" {
		t.Errorf("the manifest is not the last file, or %v", err)
	}
}

// keeper is a data path that keeps recordings in memory.
type keeper struct {
	got  dataplane.MediaUpload
	body []byte
	src  *tenant.Source
	fail error
	kept dataplane.MediaKept
}

func (k *keeper) PutMedia(_ context.Context, src *tenant.Source, up dataplane.MediaUpload) (dataplane.MediaKept, error) {
	k.got, k.src = up, src
	if k.fail != nil {
		return dataplane.MediaKept{}, k.fail
	}
	var err error
	if k.body, err = io.ReadAll(up.Body); err != nil {
		return dataplane.MediaKept{}, fault.New(fault.Invalid, "media.cut_short", "cut short").Because(err)
	}
	k.kept.Bytes = int64(len(k.body))
	return k.kept, nil
}

func (i *intake) put(t testing.TB, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("PUT", path, strings.NewReader(body))
	for n := 0; n < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	w := httptest.NewRecorder()
	i.in.First(http.NewServeMux()).ServeHTTP(w, r)
	return w
}

func TestMediaIsPut(t *testing.T) {
	k := &keeper{kept: dataplane.MediaKept{ID: oneMedia, Record: aRecord(1).ID, ReceivedAt: now}}
	i := newIntake(api.IngestOptions{Media: k})
	auth := "Bearer " + nativeKey
	w := i.put(t, "/v1/records/CA%2F1%20x/media?n=3&kind=voice/call", "sound", "Authorization", auth, "Content-Type", "audio/mpeg",
		"Content-Disposition", `attachment; filename="call.mp3"`)
	want := `{"media":"` + oneMedia.String() + `","record":"` + aRecord(1).ID.String() + `","n":0,"bytes":5,"received_at":"2026-03-01T12:30:00.123Z"}`
	if w.Code != 201 || w.Body.String() != want {
		t.Errorf("%d %s, want 201 %s", w.Code, w.Body, want)
	}
	if k.got.ClientID != "CA/1 x" || k.got.N != 3 || k.got.Kind != "voice/call" || k.got.Type != "audio/mpeg" || k.got.Name != "call.mp3" || string(k.body) != "sound" || k.got.Length != 5 {
		t.Errorf("kept %+v of %q", k.got, k.body)
	}
	k.kept.Already = true
	if w := i.put(t, "/v1/records/m1/media", "sound", "Authorization", auth); w.Code != 200 || w.Body.String() != want || k.got.Type != "application/octet-stream" {
		t.Errorf("again: %d %s, as %s", w.Code, w.Body, k.got.Type)
	}
	for _, tt := range []struct {
		name, path string
		header     []string
		status     int
		reason     string
	}{
		{"no key", "/v1/records/m1/media", nil, 401, "credential.missing"},
		{"a key of nobody", "/v1/records/m1/media", []string{"Authorization", "Bearer dwk_ie1_nobody"}, 401, ""},
		{"a browser's key", "/v1/records/m1/media", []string{"Authorization", "Bearer " + publicKey}, 403, "source.public"},
		{"another region's key", "/v1/records/m1/media", []string{"Authorization", "Bearer " + otherKey}, 421, "https://us1.example.com"},
		{"an unknown parameter", "/v1/records/m1/media?m=1", []string{"Authorization", auth}, 400, "request.bad_query"},
		{"packed", "/v1/records/m1/media", []string{"Authorization", auth, "Content-Encoding", "gzip"}, 400, "body.bad_encoding"},
		{"a part", "/v1/records/m1/media", []string{"Authorization", auth, "Content-Range", "bytes 0-1/5"}, 400, "media.bad_range"},
		{"no type", "/v1/records/m1/media", []string{"Authorization", auth, "Content-Type", "/"}, 400, "media.bad_type"},
		{"too long an id", "/v1/records/" + strings.Repeat("x", 513) + "/media", []string{"Authorization", auth}, 400, "record.bad_client_id"},
		{"no UTF-8", "/v1/records/%ff/media", []string{"Authorization", auth}, 400, "record.bad_client_id"},
		{"no id", "/v1/records//media", []string{"Authorization", auth}, 404, ""},
		{"further down", "/v1/records/a/b/media", []string{"Authorization", auth}, 404, "path.unknown"},
	} {
		w := i.put(t, tt.path, "sound", tt.header...)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.reason) || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s, want %d %s", tt.name, w.Code, w.Body, tt.status, tt.reason)
		}
	}
	if w := i.post(t, "/v1/records/m1/media", "sound", "Authorization", auth); w.Code != 405 || !strings.Contains(w.Header().Get("Allow"), "PUT") {
		t.Errorf("POST: %d %v", w.Code, w.Header())
	}
	k.fail = fault.New(fault.NotFound, "record.unknown", "unknown").WithHint("send the record first")
	if w := i.put(t, "/v1/records/m1/media", "sound", "Authorization", auth); w.Code != 404 || !strings.Contains(w.Body.String(), "send the record first") {
		t.Errorf("no record: %d %s", w.Code, w.Body)
	}
	none := newIntake(api.IngestOptions{})
	if w := none.put(t, "/v1/records/m1/media", "sound", "Authorization", auth); w.Code != 503 {
		t.Errorf("without a place: %d %s", w.Code, w.Body)
	}
}

// A body that ends before its time is no recording, and the client hears so on its half-open connection.
func TestABodyThatIsCutShortIsRefused(t *testing.T) {
	k := &keeper{}
	i := newIntake(api.IngestOptions{Media: k})
	s := httptest.NewServer(i.in)
	defer s.Close()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "PUT /v1/records/m1/media HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\n\r\nhalf", nativeKey)
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	b, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 400 ") || !strings.Contains(string(b), "media.cut_short") {
		t.Errorf("%v: %s", err, b)
	}
}

func TestASlowClientIsCutOff(t *testing.T) {
	k := &keeper{}
	i := newIntake(api.IngestOptions{Media: k, MediaPatience: 100 * time.Millisecond})
	s := httptest.NewServer(i.in)
	defer s.Close()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "PUT /v1/records/m1/media HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\n\r\nhalf", nativeKey)
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second)) // it never sends the rest
	b, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 400 ") || !strings.Contains(string(b), "media.cut_short") {
		t.Errorf("%v: %s", err, b)
	}
}
