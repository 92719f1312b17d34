package api

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"domicile.dev/internal/fault"
)

// addRecords adds the calls that read records.
func (a *API) addRecords() {
	a.raw(operation{id: "list-records", purposes: true, method: http.MethodGet, path: "/api/v1/subjects/{subject}/records", tag: tagRecords, answer: pageBody{},
		summary: "Read a person's records, newest first",
		doc:     "By the time of acceptance. Pages are stable while records come in. A restricted person is read for a purpose of GDPR art. 18(2) only: else 403 subject.restricted.",
		params: []param{{name: "kind", doc: "only records of this kind"}, {name: "after", doc: "next of the page before"},
			{name: "limit", doc: "most records of a page", min: 1, max: maxLimit, def: defaultLimit}, purposeParam},
		errors: []int{403, 404, 410}}, a.records)
	a.raw(operation{id: "get-records-by-client-id", purposes: true, method: http.MethodGet, path: "/api/v1/records/by-client-id/{id}", tag: tagRecords, answer: recordsBody{},
		summary: "Read what the client named so, oldest first", doc: "messageId, sg_event_id, MessageSid …", params: []param{purposeParam}, errors: []int{403, 404, 421}}, a.recordsByClientID)
	a.raw(operation{id: "export-subject", method: http.MethodGet, path: "/api/v1/subjects/{subject}/export", tag: tagRecords, stream: []string{"application/x-ndjson", "application/zip"},
		summary: "Export all that is held of a person",
		doc: "ndjson is one record a line, as list-records gives them. zip holds records.ndjson, subject.json, recordings and attachments under media/, and manifest.json with counts and the SHA-256 of each file. " +
			"An export that is cut off ends without its last chunk, so that clients see it.",
		params: []param{{name: "format", doc: "ndjson or zip", enum: []string{"ndjson", "zip"}, def: "ndjson"}, purposeParam},
		errors: []int{403, 404, 410}}, a.export)
}

var purposeParam = param{name: "purpose", doc: "for restricted persons, GDPR art. 18(2)", enum: purposes}

// maxClientIDBytes bounds what is looked up; no client's ids are as long.
const maxClientIDBytes = 512

func (a *API) records(w http.ResponseWriter, r *http.Request, c *call) error {
	s, err := parseSubject(c.subject)
	if err != nil {
		return err
	}
	in, err := query(r.URL, "kind", "after", "limit", "purpose")
	if err != nil {
		return err
	}
	q := Query{Kind: in.Get("kind"), After: in.Get("after")}
	if q.Limit, err = parseLimit(in.Get("limit")); err != nil {
		return err
	}
	if q.Purpose, err = parsePurpose(in.Get("purpose")); err != nil {
		return err
	}
	p, err := a.service.Records(r.Context(), c.caller.Reading(r.Header.Get(purposeHeader)), s, q)
	if err != nil {
		return err
	}
	return answerRecords(w, p)
}

func (a *API) recordsByClientID(w http.ResponseWriter, r *http.Request, c *call) error {
	if len(c.id) > maxClientIDBytes || !utf8.ValidString(c.id) {
		return fault.New(fault.Invalid, "record.bad_client_id", "a client's id is UTF-8 of at most %d bytes", maxClientIDBytes)
	}
	in, err := query(r.URL, "purpose")
	if err != nil {
		return err
	}
	purpose, err := parsePurpose(in.Get("purpose"))
	if err != nil {
		return err
	}
	records, err := a.service.RecordsByClientID(r.Context(), c.caller.Reading(r.Header.Get(purposeHeader)), c.id, purpose)
	if err != nil {
		return err
	}
	return answerRecords(w, Page{Records: records})
}

// buffers hold encoded pages. They hold personal data in the clear and are wiped before reuse.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 16<<10); return &b }}

// maxPooled keeps a giant page from pinning its memory.
const maxPooled = 1 << 20

func answerRecords(w http.ResponseWriter, p Page) error {
	buf := buffers.Get().(*[]byte)
	b := appendPage((*buf)[:0], p)
	h := w.Header()
	h["Content-Length"] = []string{strconv.Itoa(len(b))}
	err := answer(w, http.StatusOK, b)
	if clear(b); cap(b) <= maxPooled {
		*buf = b
		buffers.Put(buf)
	}
	return err
}

// appendPage appends a pageBody.
func appendPage(b []byte, p Page) []byte {
	b = append(b, `{"records":[`...)
	for i := range p.Records {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendRecord(b, &p.Records[i])
	}
	b = append(b, ']')
	if p.Next != "" {
		b = appendString(append(b, `,"next":`...), p.Next)
	}
	return append(b, "}\n"...)
}

// appendRecord appends a recordBody on one line. r.Data is a JSON object, as the store gave it
// after it was taken apart and sealed by us; newlines in it can only be white space.
func appendRecord(b []byte, r *RecordView) []byte {
	b = appendString(append(b, `{"id":`...), r.ID.String())
	b = appendString(append(b, `,"client_id":`...), r.ClientID)
	b = appendString(append(b, `,"kind":`...), r.Kind)
	b = appendString(append(b, `,"service":`...), r.Service)
	b = appendTime(append(b, `,"occurred_at":`...), r.OccurredAt)
	b = appendTime(append(b, `,"received_at":`...), r.ReceivedAt)
	b = appendTexts(append(b, `,"categories":`...), r.Categories)
	if len(r.Gone) > 0 {
		b = appendTexts(append(b, `,"gone":`...), r.Gone)
	}
	if len(r.Media) > 0 {
		b = appendMedia(append(b, `,"media":`...), r.Media)
	}
	b = append(b, `,"data":`...)
	if len(r.Data) == 0 {
		return append(b, "{}}"...)
	}
	return append(appendLine(b, r.Data), '}')
}

// appendLine appends JSON without line breaks, which stand in it between tokens only. Data of ours
// has none, so that it is searched, which is fast, and not walked.
func appendLine(b, json []byte) []byte {
	start := len(b)
	b = append(b, json...)
	for _, c := range []byte("\n\r") {
		for rest := b[start:]; ; {
			i := bytes.IndexByte(rest, c)
			if i < 0 {
				break
			}
			rest[i] = ' '
			rest = rest[i+1:]
		}
	}
	return b
}

func appendTexts(b []byte, texts []string) []byte {
	b = append(b, '[')
	for i, t := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, t)
	}
	return append(b, ']')
}

// appendTime appends t in UTC with milliseconds. Twenty of them are on a page of ten records, and
// layouts were a third of its cost.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return append(b, "null"...)
	}
	hour, minute, second := t.Clock()
	b = append(b, '"')
	b = appendDigits(b, year, 4)
	b = appendDigits(append(b, '-'), int(month), 2)
	b = appendDigits(append(b, '-'), day, 2)
	b = appendDigits(append(b, 'T'), hour, 2)
	b = appendDigits(append(b, ':'), minute, 2)
	b = appendDigits(append(b, ':'), second, 2)
	b = appendDigits(append(b, '.'), t.Nanosecond()/int(time.Millisecond), 3)
	return append(b, 'Z', '"')
}

// appendDigits appends n with leading zeros.
func appendDigits(b []byte, n, width int) []byte {
	start := len(b)
	b = append(b, "0000"[:width]...)
	for i := start + width - 1; i >= start; i-- {
		b[i] += byte(n % 10)
		n /= 10
	}
	return b
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. What is no UTF-8 becomes the replacement character.
func appendString(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		if c == '"' || c == '\\' {
			b = append(b, '\\', c)
		} else {
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		start = i + 1
	}
	return append(append(b, s[start:]...), '"')
}
