package api

import (
	"encoding/json"
	"mime"
	"net/http"
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/web/guard"
)

// addMedia adds the call that reads a recording or attachment.
func (a *API) addMedia() {
	a.raw(operation{id: "get-media", purposes: true, method: http.MethodGet, path: "/api/v1/records/{record}/media/{media}", tag: tagRecords, stream: []string{octets},
		summary: "Read a recording or attachment of a record",
		doc: "As it was sent, with the type it was sent with. Ranges, If-Range, If-None-Match and HEAD are answered as RFC 9110 has them: 206, 304, 416. " +
			"The ids are in the records' own list, media. An erasure meanwhile cuts the answer off. Of a restricted person it is read for a purpose of GDPR art. 18(2) only.",
		params: []param{purposeParam}, errors: []int{403, 404, 410, 416, 503}}, a.media)
}

func (a *API) media(w http.ResponseWriter, r *http.Request, c *call) error {
	rec, err := id.ParseRecord(c.subject)
	if err != nil {
		return fault.New(fault.Invalid, "record.bad_id", "the path names no record").WithHint("a record's id is rec_ and 26 characters; it is in the list of records")
	}
	m, err := id.ParseMedia(c.id)
	if err != nil {
		return fault.New(fault.Invalid, "media.bad_id", "the path names no recording or attachment").WithHint("its id is med_ and 20 characters; it is in the record's list, media")
	}
	in, err := query(r.URL, "purpose")
	if err != nil {
		return err
	}
	purpose, err := parsePurpose(in.Get("purpose"))
	if err != nil {
		return err
	}
	content, err := a.service.OpenMedia(r.Context(), c.caller.Reading(r.Header.Get(purposeHeader)), rec, m, purpose)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	if r.Method != http.MethodHead && r.Header.Get("Range") == "" { // while a problem can still be told
		if err := content.Ready(); err != nil {
			return err
		}
	}
	h := w.Header()
	h.Set("Content-Type", content.Type)
	h.Set("Content-Disposition", disposition(content.Name))
	h.Set("ETag", `"`+content.ID.String()+`"`) // what has that id never changes
	http.ServeContent(&mediaWriter{ResponseWriter: w, to: guard.Stream(w)}, r, "", content.ReceivedAt, content)
	if err := content.Err(); err != nil {
		guard.Note(w, err)
		panic(http.ErrAbortHandler) // the client must not take half for all
	}
	return nil
}

// disposition makes browsers save the content, and never show it as a page of ours.
func disposition(name string) string {
	if name == "" {
		return "attachment"
	}
	if d := mime.FormatMediaType("attachment", map[string]string{"filename": name}); d != "" {
		return d
	}
	return "attachment"
}

// mediaWriter gives clients time, and makes a problem of the one error that ServeContent words itself.
type mediaWriter struct {
	http.ResponseWriter
	to     *guard.Streamer
	failed bool
}

func (w *mediaWriter) WriteHeader(status int) {
	if status != http.StatusRequestedRangeNotSatisfiable {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.failed = true
	for _, name := range []string{"Content-Disposition", "Last-Modified", "ETag"} {
		w.Header().Del(name)
	}
	p := guard.Describe(fault.New(fault.Invalid, "request.bad_range", "the content has none of these bytes").WithHint("Content-Range says how many there are"))
	p.Status, p.Title = status, http.StatusText(status)
	p.Write(w.ResponseWriter)
}

func (w *mediaWriter) Write(b []byte) (int, error) {
	if w.failed {
		return len(b), nil
	}
	return w.to.Write(b)
}

// mediaBody is one recording or attachment in a record's list.
type mediaBody struct {
	ID         string `json:"id" pattern:"^med_[a-z2-7]{20}$"`
	N          int    `json:"n" doc:"its number in the record"`
	Type       string `json:"type" doc:"media type, as it was sent"`
	Name       string `json:"name,omitempty" doc:"of the file, when one was sent"`
	Bytes      int64  `json:"bytes"`
	ReceivedAt string `json:"received_at" format:"date-time"`
}

// appendMedia appends the list.
func appendMedia(b []byte, list []plane.MediaView) []byte {
	all := make([]mediaBody, len(list))
	for i, m := range list {
		all[i] = mediaBody{ID: m.ID.String(), N: m.N, Type: m.Type, Name: m.Name, Bytes: m.Bytes,
			ReceivedAt: strings.Trim(string(appendTime(nil, m.ReceivedAt)), `"`)}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return append(b, "[]"...) // there is nothing in it that JSON can't hold
	}
	return append(b, text...)
}
