package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	sdk "domicile.dev/internal/ingest/segment"
	"domicile.dev/internal/term"
	"domicile.dev/internal/web/guard"
)

// pixelCalls are the calls of RudderStack's pixel, by path: an image in a mail or a page without
// scripts, whose address is the event.
var pixelCalls = map[string]string{"/pixel/v1/track": "track", "/pixel/v1/page": "page"}

// pixelImage is a transparent GIF of one pixel.
var pixelImage = []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")

// pixel takes the event in the address and answers with an image, which is shown whatever the
// status says: 200 when the event is durable. Nothing that loads an image comes back.
func (in *Ingest) pixel(w http.ResponseWriter, r *http.Request, call string) {
	status := http.StatusOK
	if err := in.takePixel(r, call); err != nil {
		guard.Note(w, err)
		status = guard.Describe(err).Status
	}
	h := w.Header()
	h.Set("Content-Type", "image/gif")
	h.Set("Content-Length", strconv.Itoa(len(pixelImage)))
	h.Set("Cache-Control", "no-store")
	h["Cross-Origin-Resource-Policy"] = anySite
	w.WriteHeader(status)
	_, _ = w.Write(pixelImage)
}

func (in *Ingest) takePixel(r *http.Request, call string) error {
	q, err := url.ParseQuery(r.URL.RawQuery)
	for name, values := range q {
		if !utf8.ValidString(name) || !utf8.ValidString(values[0]) {
			err = errors.New("no UTF-8")
		}
	}
	if err != nil {
		return fault.New(fault.Invalid, "query.unreadable", "the address has a query that can't be read")
	}
	key := q.Get("writeKey")
	if key == "" {
		return keyMissing()
	}
	src, err := in.source(key, term.AdapterSegment)
	if err == nil {
		err = publicOnly(src)
	}
	if err != nil {
		return err
	}
	body, err := pixelEvent(q)
	if err != nil {
		return err
	}
	b, err := sdk.Decode("/v1/"+call, body, ingest.Env{ReceivedAt: in.opt.Now(), Kinds: in.opt.Planned(src), Service: src.Service,
		Peer: in.peer(r), PeerIsSubject: true})
	if err != nil {
		return err
	}
	defer b.Release()
	b.GPC = gpc(r, src)
	result, err := in.sink.Ingest(context.WithoutCancel(r.Context()), src, b)
	if err != nil {
		return err
	}
	return notKept(&result, mend)
}

// pixelEvent makes the event of the query: each name is a path, properties.plan, and of a name that
// comes twice the first counts. An anonymous id may stand in quotation marks, as cookies have it.
func pixelEvent(q url.Values) ([]byte, error) {
	event := map[string]any{"channel": "web"}
	for name, values := range q {
		if name == "writeKey" || name == "type" {
			continue
		}
		value := values[0]
		if name == "anonymousId" && len(value) > 1 && strings.HasPrefix(value, `"`) && strings.HasSuffix(value, `"`) {
			value = value[1 : len(value)-1]
		}
		at, path := event, strings.Split(name, ".")
		for _, step := range path[:len(path)-1] {
			inner, ok := at[step].(map[string]any)
			if _, taken := at[step]; taken && !ok {
				return nil, ambiguousQuery()
			} else if !ok {
				inner = map[string]any{}
				at[step] = inner
			}
			at = inner
		}
		last := path[len(path)-1]
		if _, taken := at[last]; taken && name != "channel" {
			return nil, ambiguousQuery()
		}
		at[last] = value
	}
	return json.Marshal(event)
}

func ambiguousQuery() error {
	return fault.New(fault.Invalid, "query.ambiguous", "a name in the query is both a value and the beginning of others")
}
