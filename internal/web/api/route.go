package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/tenant"
)

// Who may make a call.
type who uint8

const (
	anyone   who = iota // no credential needed
	tenants             // a tenant's token
	managers            // a tenant's token or the operator's
)

// call is one request on its way: whose it is and what stands in the path.
type call struct {
	caller  *tenant.Caller
	subject string // the path's {subject}, {tenant} or {record}
	id      string // the path's other value
	op      *route
}

// route is one operation of the API. http.ServeMux can't tell /subjects/{subject}:erase from
// /subjects/{subject}, so the API has its own few lines for it.
type route struct {
	method  string
	pattern string // method and path template; a constant, so it may be a metric's label
	segs    []segment
	who     who
	handle  func(http.ResponseWriter, *http.Request, *call) error

	// secrets says that an answer holds something that is shown once; kept answers leave it out.
	secrets bool
	// fresh says that an answer is never kept: a retry asks again.
	fresh bool
	// streamed says that a request body is read as it comes, and may be large.
	streamed bool
	// maxBody is the most bytes of a request body.
	maxBody int64
}

// segment is one step of a path template: a literal, or a wildcard with an optional verb.
type segment struct {
	literal string
	name    string
	verb    string // "erase" of "{subject}:erase"
	closed  bool   // a wildcard without verb whose siblings have some: it takes no colon
}

// maxSegments bounds what is looked at of a path.
const maxSegments = 10

// parseTemplate splits "/api/v1/subjects/{subject}:erase".
func parseTemplate(path string) (segs []segment) {
	for s := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if !strings.HasPrefix(s, "{") {
			segs = append(segs, segment{literal: s})
			continue
		}
		name, verb, _ := strings.Cut(s, ":")
		segs = append(segs, segment{name: strings.Trim(name, "{}"), verb: verb})
	}
	return segs
}

// routes are all operations, by the number of their segments.
type routes [maxSegments + 1][]*route

func (rs *routes) add(r *route) {
	r.segs = parseTemplate(strings.TrimPrefix(r.pattern, r.method+" "))
	n := len(r.segs)
	rs[n] = append(rs[n], r)
	for _, a := range rs[n] { // who has a sibling with a verb takes no colon
		for _, b := range rs[n] {
			if last := n - 1; b.segs[last].verb != "" && a.segs[last].literal == "" && a.segs[last].verb == "" && slices.Equal(a.segs[:last], b.segs[:last]) {
				a.segs[last].closed = true
			}
		}
	}
}

// find returns the operation for a method and path with its values in c. Without one, allow are the
// methods that the path has; with none of these the path is unknown.
func (rs *routes) find(method string, u *url.URL, c *call) (r *route, allow []string) {
	var parts [maxSegments]string
	n, ok := splitPath(u, &parts)
	if !ok {
		return nil, nil
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, r := range rs[n] {
		if !r.match(parts[:n], c) {
			continue
		}
		if r.method == method {
			c.op = r
			return r, nil
		}
		allow = append(allow, r.method)
	}
	if slices.Contains(allow, http.MethodGet) {
		allow = append(allow, http.MethodHead)
	}
	slices.Sort(allow)
	return nil, allow
}

// splitPath splits the path as it was sent, then decodes each part: an id may hold an encoded slash.
func splitPath(u *url.URL, parts *[maxSegments]string) (n int, ok bool) {
	path := u.EscapedPath()
	for rest, more := strings.TrimPrefix(path, "/"), true; more; n++ {
		if n == maxSegments {
			return 0, false
		}
		var s string
		s, rest, more = strings.Cut(rest, "/")
		if strings.IndexByte(s, '%') >= 0 {
			var err error
			if s, err = url.PathUnescape(s); err != nil {
				return 0, false
			}
		}
		parts[n] = s
	}
	return n, true
}

// match says whether parts are r's path, and puts the values into c.
func (r *route) match(parts []string, c *call) bool {
	for i, s := range r.segs {
		part := parts[i]
		switch {
		case s.name == "":
			if part != s.literal {
				return false
			}
			continue
		case part == "" || s.closed && strings.IndexByte(part, ':') >= 0:
			return false
		case s.verb != "":
			cut, ok := strings.CutSuffix(part, s.verb)
			if !ok || len(cut) < 2 || cut[len(cut)-1] != ':' {
				return false
			}
			part = cut[:len(cut)-1]
		}
		c.set(s.name, part)
	}
	return true
}

// set keeps a value of the path. Templates have at most two.
func (c *call) set(name, value string) {
	if slices.Contains(firstValue[:], name) {
		c.subject = value
	} else {
		c.id = value
	}
}

// firstValue are the names of those values that may stand before another.
var firstValue = [3]string{"subject", "tenant", "record"}

// value returns a value of the path.
func (c *call) value(name string) string {
	if slices.Contains(firstValue[:], name) {
		return c.subject
	}
	return c.id
}

func unknownPath() error {
	return fault.New(fault.NotFound, "path.unknown", "there is no such call").WithHint("/api/docs lists them all")
}
