package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func testRoutes() *routes {
	var rs routes
	for _, pattern := range []string{"POST /v1/subjects:find", "GET /v1/subjects/{subject}", "POST /v1/subjects/{subject}:erase", "POST /v1/subjects/{subject}:hold",
		"GET /v1/subjects/{subject}/records", "GET /v1/records/{id}", "POST /v1/tenants/{tenant}/sources/{source}:rotate"} {
		method, _, _ := strings.Cut(pattern, " ")
		rs.add(&route{method: method, pattern: pattern})
	}
	return &rs
}

// FuzzRoutes checks that no path breaks the router, and that what it takes for values, put back
// into the template, is the path that came.
func FuzzRoutes(f *testing.F) {
	for _, s := range []string{"/v1/subjects:find", "/v1/subjects%3Afind", "/v1/subjects/sub_x:erase", "/v1/subjects/a:b:erase", "/v1/subjects/:erase", "/v1/records/a%2Fb",
		"/v1/records/%", "//", "/v1/tenants/a/sources/b:rotate", strings.Repeat("/x", 50), "/v1/subjects/x%3a%65rase"} {
		f.Add(s)
	}
	rs := testRoutes()
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI("/" + strings.TrimPrefix(path, "/"))
		if err != nil {
			return
		}
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			var c call
			r, allow := rs.find(method, u, &c)
			if r == nil {
				if slices.Contains(allow, method) {
					t.Fatalf("%s is allowed and was not found", method)
				}
				continue
			}
			built := "/v1"
			for _, s := range r.segs[1:] {
				switch {
				case s.name == "":
					built += "/" + s.literal
				case s.verb != "":
					built += "/" + url.PathEscape(c.value(s.name)) + ":" + s.verb
				default:
					built += "/" + url.PathEscape(c.value(s.name))
				}
			}
			back, err := url.ParseRequestURI(built)
			if err != nil || back.Path != u.Path {
				t.Fatalf("%s was taken for %s", u.Path, built)
			}
		}
	})
}

// FuzzDecode checks that decoding never panics, and that its faults never repeat what came.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"identifiers":[{"type":"email","value":"quux"}]}`, `{"quuxquux":1}`, `{"identifiers":"quuxquux"}`, `{"identifiers":[{"type":{"quuxquux":1}}]}`, `[]`, ``, `{}{}`,
		"{\"identifiers\":[{\"value\":\"\xff\"}]}", `{"until":"quuxquux"}`, `{"identifiers":[{"type":1e999}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, v := range []any{&findBody{}, &eraseBody{}, &holdBody{}} {
			err := decode(body, v)
			if err == nil {
				if !utf8.Valid(body) || !json.Valid(body) {
					t.Fatal("what is no JSON in UTF-8 was taken for it")
				}
				continue
			}
			if strings.Contains(err.Error(), "quux") {
				t.Fatalf("%v repeats the body", err)
			}
		}
	})
}

// FuzzAppendString checks our JSON strings against encoding/json.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\\n\t\x00\x1f", "söme 日本", "\xff\xfe", "</script>\u2028", "\x7f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(appendString(nil, s), &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if utf8.ValidString(s) && got != s {
			t.Fatalf("%q came back as %q", s, got)
		}
	})
}

// FuzzAppendLine checks that data in an NDJSON line is one line and means the same.
func FuzzAppendLine(f *testing.F) {
	for _, s := range []string{"{\n\"a\":\r\n1}", `{"a":"\n"}`, `[]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) {
			return
		}
		line := appendLine(nil, b)
		var was, is any
		if err := json.Unmarshal(b, &was); err != nil {
			return // a number that Go can't hold
		}
		if err := json.Unmarshal(line, &is); err != nil || strings.ContainsAny(string(line), "\r\n") {
			t.Fatalf("%q became %q: %v", b, line, err)
		}
		x, _ := json.Marshal(was)
		y, _ := json.Marshal(is)
		if string(x) != string(y) {
			t.Fatalf("%s became %s", x, y)
		}
	})
}

func TestAppendTimeIsRFC3339(t *testing.T) {
	for _, at := range []time.Time{{}, time.Unix(0, 0), time.UnixMilli(1772368200123), time.Date(2024, 2, 29, 23, 59, 59, 999999999, time.FixedZone("", -3*3600)),
		time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)} {
		want := at.UTC().Format(`"2006-01-02T15:04:05.000Z07:00"`)
		if got := string(appendTime(nil, at)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := string(appendTime(nil, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))); got != "null" {
		t.Errorf("%s for a year that RFC 3339 does not have", got)
	}
}
