package api_test

import (
	"bytes"
	"image/gif"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"domicile.dev/internal/web/api"
)

func TestThePixel(t *testing.T) {
	long := strings.Repeat("x", 33<<10)
	for _, tt := range []struct {
		name, path string
		status     int
		kept       string // a part of the content
	}{
		{"a track", "/pixel/v1/track?writeKey=" + publicKey + "&anonymousId=%22a-1%22&event=Opened&properties.plan=pro&properties.mail.id=7&context.locale=en", 200,
			`"anonymousId":"a-1","channel":"web","context":{"locale":"en"`},
		{"nested", "/pixel/v1/track?writeKey=" + publicKey + "&userId=u&event=Opened&properties.plan=pro&properties.mail.id=7", 200, `"properties":{"mail":{"id":"7"},"plan":"pro"}`},
		{"a page", "/pixel/v1/page?writeKey=" + publicKey + "&userId=u&name=Privacy&type=track", 200, `"name":"Privacy"`},
		{"a doubled slash", "//pixel//v1/track?writeKey=" + publicKey + "&userId=u&event=Opened", 200, `"event":"Opened"`},
		{"twice", "/pixel/v1/track?writeKey=" + publicKey + "&userId=u&event=First&event=Second", 200, `"event":"First"`},
		{"whose address it is", "/pixel/v1/track?writeKey=" + publicKey + "&userId=u&event=Opened", 200, `"ip":"203.0.113.7"`},
		{"nobody", "/pixel/v1/track?writeKey=" + publicKey + "&event=Opened", 400, ""},
		{"no key", "/pixel/v1/track?userId=u&event=Opened", 401, ""},
		{"a key that isn't", "/pixel/v1/track?writeKey=x&userId=u&event=Opened", 401, ""},
		{"a server's key", "/pixel/v1/track?writeKey=" + serverKey + "&userId=u&event=Opened", 403, ""},
		{"a value and more below", "/pixel/v1/track?writeKey=" + publicKey + "&userId=u&event=Opened&properties=1&properties.a=1", 400, ""},
		{"too long", "/pixel/v1/track?writeKey=" + publicKey + "&userId=u&event=" + long, 400, ""},
		{"no UTF-8", "/pixel/v1/track?writeKey=" + publicKey + "&userId=u&event=%ff", 400, ""},
		{"no query", "/pixel/v1/track?%zz", 400, ""},
	} {
		i := newIntake(api.IngestOptions{})
		r := httptest.NewRequest("GET", tt.path, nil)
		r.RemoteAddr = "203.0.113.7:1"
		w := httptest.NewRecorder()
		i.in.First(http.NotFoundHandler()).ServeHTTP(w, r)
		if _, err := gif.Decode(bytes.NewReader(w.Body.Bytes())); err != nil || w.Code != tt.status || w.Header().Get("Content-Type") != "image/gif" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, %v", tt.name, w.Code, err)
		}
		if !strings.Contains(i.content, tt.kept) || strings.Contains(i.content, publicKey) {
			t.Errorf("%s: kept %s", tt.name, i.content)
		}
	}
	i := newIntake(api.IngestOptions{})
	if w := i.ask("POST", "/pixel/v1/track?writeKey="+publicKey, nil); w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
	if w := i.ask("GET", "/pixel/v1/identify?writeKey="+publicKey, nil); w.Code != 404 {
		t.Errorf("another call: %d", w.Code)
	}
}

// FuzzPixel: whatever the query, the answer is an image, and nothing is taken that isn't answered 200.
func FuzzPixel(f *testing.F) {
	key := "writeKey=" + publicKey
	for _, q := range []string{key + "&userId=u&event=e&properties.a.b=1", key + "&userId=u&properties=1&properties.a=1", key + "&.=1&..=2&userId=u", key + "&userId=%ff", "&&=", key + "&type=x&channel=y&userId=u"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		i := newIntake(api.IngestOptions{})
		r := httptest.NewRequest("GET", "/pixel/v1/track", nil)
		r.URL.RawQuery = q
		w := httptest.NewRecorder()
		i.in.ServeHTTP(w, r)
		took := i.took()
		kept := len(took) == 1 && !strings.Contains(took[0], " refused ")
		if w.Header().Get("Content-Type") != "image/gif" || w.Code >= 500 || (w.Code == 200) != kept {
			t.Errorf("%q: %d, took %q", q, w.Code, took)
		}
	})
}
