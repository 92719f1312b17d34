package api

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest/native"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// MediaSink keeps recordings and attachments. It reads the body until it returns, and no longer.
type MediaSink interface {
	PutMedia(ctx context.Context, src *tenant.Source, up plane.MediaUpload) (plane.MediaKept, error)
}

const (
	patternMedia = "PUT /v1/records/{client id}/media"
	octets       = "application/octet-stream"

	mediaPace = 64 << 10 // bytes that a client has IngestOptions.MediaPatience for
)

// mediaPath returns the client id of "/v1/records/{client id}/media". The id may hold encoded slashes.
func mediaPath(u *url.URL) (clientID string, ok bool) {
	rest, ok := strings.CutPrefix(u.EscapedPath(), pathRecords+"/")
	if !ok {
		return "", false
	}
	clientID, ok = strings.CutSuffix(rest, "/media")
	if !ok || clientID == "" || strings.Contains(clientID, "/") {
		return "", false
	}
	clientID, err := url.PathUnescape(clientID)
	return clientID, err == nil
}

// takeMedia takes a recording or attachment of the record that the client named so.
func (in *Ingest) takeMedia(w http.ResponseWriter, r *http.Request, clientID string) {
	kept, err := in.putMedia(w, r, clientID)
	if fault.ReasonOf(err) == "media.cut_short" {
		w.Header().Set("Connection", "close") // there is nothing to wait for
		failNative(w, err)
		return
	}
	if err != nil {
		in.drain(w, r, native.MaxBodyBytes)
		failNative(w, err)
		return
	}
	body, _ := json.Marshal(mediaKeptBody{Media: kept.ID.String(), Record: kept.Record.String(), N: kept.N, Bytes: kept.Bytes, ReceivedAt: kept.ReceivedAt})
	h := w.Header()
	h["Content-Type"] = jsonType
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if !kept.Already {
		w.WriteHeader(http.StatusCreated)
	}
	_, _ = w.Write(body)
}

// mediaKeptBody is the answer to an upload.
type mediaKeptBody struct {
	Media      string    `json:"media"`
	Record     string    `json:"record"`
	N          int       `json:"n"`
	Bytes      int64     `json:"bytes"`
	ReceivedAt time.Time `json:"received_at"`
}

func (in *Ingest) putMedia(w http.ResponseWriter, r *http.Request, clientID string) (kept plane.MediaKept, err error) {
	_, src, err := in.who(r, "")
	if err == nil && src == nil {
		err = keyMissing()
	}
	if err != nil {
		return kept, err
	}
	if src.Trust != term.Server {
		return kept, fault.New(fault.Forbidden, "source.public", "a key that browsers hold brings no recordings or attachments").
			WithHint("send them from a server, with the key of a server source")
	}
	if in.opt.Media == nil {
		return kept, fault.New(fault.Unavailable, "blob.no_store", "this node has no place for recordings and attachments")
	}
	up, err := mediaHead(r, clientID)
	if err != nil {
		return kept, err
	}
	body := &paced{body: r.Body, c: http.NewResponseController(w), patience: in.opt.MediaPatience}
	up.Body = body
	kept, err = in.opt.Media.PutMedia(context.WithoutCancel(r.Context()), src, up)
	body.rest()
	return kept, err
}

// mediaHead reads what the head of the request says of the content.
func mediaHead(r *http.Request, clientID string) (up plane.MediaUpload, err error) {
	up = plane.MediaUpload{ClientID: clientID, Length: r.ContentLength}
	if len(clientID) > maxClientIDBytes || !utf8.ValidString(clientID) {
		return up, fault.New(fault.Invalid, "record.bad_client_id", "a client's id is UTF-8 of at most %d bytes", maxClientIDBytes)
	}
	q := r.URL.Query()
	for name := range q {
		if name != "n" && name != "kind" && name != "writeKey" {
			return up, fault.New(fault.Invalid, "request.bad_query", "this call has the parameters n and kind alone")
		}
	}
	up.Kind = q.Get("kind")
	if n := q.Get("n"); n != "" {
		if up.N, err = strconv.Atoi(n); err != nil {
			up.N = -1 // refused, and counted, with the other numbers that can't be
		}
	}
	for _, e := range r.Header["Content-Encoding"] {
		if e = strings.ToLower(strings.TrimSpace(e)); e != "" && e != "identity" {
			return up, fault.New(fault.Invalid, "body.bad_encoding", "a recording or attachment is sent as it is").
				WithHint("leave Content-Encoding out, and name what the content itself is in Content-Type")
		}
	}
	if r.Header.Get("Content-Range") != "" {
		return up, fault.New(fault.Invalid, "media.bad_range", "a recording or attachment is sent whole, in one request").WithHint("leave Content-Range out")
	}
	up.Type = octets
	if t := r.Header.Get("Content-Type"); t != "" {
		if _, _, err := mime.ParseMediaType(t); err != nil || len(t) > 255 {
			return up, fault.New(fault.Invalid, "media.bad_type", "Content-Type is no media type").WithHint("send one such as audio/mpeg, or none")
		}
		up.Type = t
	}
	if _, params, err := mime.ParseMediaType(r.Header.Get("Content-Disposition")); err == nil {
		up.Name = params["filename"]
	}
	return up, nil
}

// paced reads a body of any length from a client that keeps sending.
type paced struct {
	body     io.Reader
	c        *http.ResponseController
	patience time.Duration
	left     int // bytes until the deadlines are set anew
}

func (p *paced) Read(b []byte) (int, error) {
	if p.left <= 0 {
		p.rest()
		p.left = mediaPace
	}
	n, err := p.body.Read(b)
	p.left -= n
	return n, err
}

// rest sets the deadlines anew: for the next bytes, and for the answer after them. Where that isn't
// possible the server's stay.
func (p *paced) rest() {
	now := time.Now()
	_ = p.c.SetReadDeadline(now.Add(p.patience))
	_ = p.c.SetWriteDeadline(now.Add(p.patience + time.Minute))
}
