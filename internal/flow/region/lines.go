package region

import (
	"bytes"
	"encoding/json"
	"errors"

	"domicile.dev/internal/fault"
)

// The bounds of one request, as the region's native protocol has them (docs/adapters).
const (
	maxBodyBytes   = 8 << 20
	maxRecordBytes = 1 << 20
	maxRecords     = 10_000
	maxIDChars     = 256
)

// The identifier types under which another region knows people whom it gets from a flow: their own
// region's id of the person, or a pseudonym that only this flow's recipient and purpose have.
const (
	TypeSubject   = "domicile_subject"
	TypePseudonym = "domicile_pseudonym"
)

// line is what a flow sends of a record.
type line struct {
	ID         string          `json:"id"`
	Kind       string          `json:"kind"`
	Service    string          `json:"service"`
	OccurredAt string          `json:"occurred_at"`
	Subjects   []string        `json:"subjects"`
	Data       json.RawMessage `json:"data"`
}

// native is the same as the other region takes it.
type native struct {
	ID         string          `json:"id"`
	Kind       string          `json:"kind"`
	Service    string          `json:"service"`
	OccurredAt string          `json:"occurred_at,omitempty"`
	Subjects   []identifier    `json:"subjects,omitempty"`
	Data       json.RawMessage `json:"data"`
}

type identifier struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// request is one body, and the ids that its records had, in order.
type request struct {
	body bytes.Buffer
	ids  []string
}

// requests turns the lines of a body into as many requests as they need. A record is known to the other
// region as flow:id, so that another flow that brings other parts of it doesn't pass for a repeat.
//
// Fault: Invalid "destination.bad_line" when a line is no record.
func requests(flow, form string, body []byte) (all []*request, err error) {
	typ := TypeSubject
	if form == "pseudonymised" {
		typ = TypePseudonym
	}
	var out bytes.Buffer
	now := &request{}
	n := 0
	for l := range bytes.Lines(body) {
		out.Reset()
		id, err := translate(&out, flow, typ, l)
		if err != nil {
			return nil, fault.New(fault.Invalid, "destination.bad_line", "line %d of the delivery is no record that a region takes", n).
				Because(err)
		}
		if len(now.ids) > 0 && (len(now.ids) == maxRecords || now.body.Len()+out.Len() > maxBodyBytes) {
			all = append(all, now)
			now = &request{}
		}
		_, _ = now.body.Write(out.Bytes())
		now.ids = append(now.ids, id)
		n++
	}
	if len(now.ids) > 0 {
		all = append(all, now)
	}
	return all, nil
}

// The errors say nothing of a line's content.
var (
	errNoRecord = errors.New("no JSON object of the form")
	errTooLarge = errors.New("too large")
)

// translate appends line l as the other region takes it, and returns the id that it had.
func translate(out *bytes.Buffer, flow, typ string, l []byte) (id string, err error) {
	var v line
	if err := json.Unmarshal(l, &v); err != nil || v.ID == "" || v.Kind == "" || len(v.Data) == 0 || v.Data[0] != '{' {
		return "", errNoRecord
	}
	n := native{ID: flow + ":" + v.ID, Kind: v.Kind, Service: v.Service, OccurredAt: v.OccurredAt, Data: v.Data}
	if len(n.ID) > maxIDChars {
		return "", errTooLarge
	}
	for _, s := range v.Subjects {
		n.Subjects = append(n.Subjects, identifier{typ, s})
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false) // the data as they were
	if err := e.Encode(n); err != nil {
		return "", errNoRecord
	}
	if out.Len() > maxRecordBytes {
		return "", errTooLarge
	}
	return v.ID, nil
}

// taken is what the other region answers.
type taken struct {
	Accepted  *int64    `json:"accepted"`
	Duplicate *int64    `json:"duplicate"`
	Refused   []refusal `json:"refused"`
}

// refusal is of the record at Index, and of More after it for the same reason.
type refusal struct {
	Index  int    `json:"index"`
	Reason string `json:"reason"`
	More   int    `json:"more"`
}

// verdict is what an answer says of a request of n records.
type verdict struct {
	refused map[int]string // reasons by index, of those refused for good
	again   string         // why some are to be sent again; "" when none are
}

var errAnswer = errors.New("the counts don't add up")

// read decodes an answer to n records. An answer that doesn't account for each of them is none.
func read(body []byte, n int) (v verdict, err error) {
	var t taken
	if err := json.Unmarshal(body, &t); err != nil || t.Accepted == nil || t.Duplicate == nil || *t.Accepted < 0 || *t.Duplicate < 0 ||
		*t.Accepted > int64(n) || *t.Duplicate > int64(n) {
		return v, errAnswer
	}
	v.refused = map[int]string{}
	total := *t.Accepted + *t.Duplicate
	for _, r := range t.Refused {
		if r.Index < 0 || r.More < 0 || r.Index >= n || r.More >= n || r.Index+r.More >= n {
			return verdict{}, errAnswer
		}
		reason := code(r.Reason)
		for i := r.Index; i <= r.Index+r.More; i++ {
			if _, twice := v.refused[i]; twice {
				return verdict{}, errAnswer
			}
			v.refused[i] = reason
		}
		if passes(reason) {
			v.again = reason
		}
	}
	if total+int64(len(v.refused)) != int64(n) {
		return verdict{}, errAnswer
	}
	return v, nil
}

// passes says whether a refusal is about the request, and not about the record.
func passes(reason string) bool { return reason == "batch.too_many_records" }

// code returns reason when it is one of those that a region has for records: any other could be text.
func code(reason string) string {
	switch reason {
	case "record.bad_json", "record.not_object", "record.too_large", "record.unknown_member", "record.unknown_kind", "record.bad_id", "record.bad_time",
		"record.bad_subject", "record.too_many_subjects", "record.no_subject", "record.bad_data", "record.duplicate_member", "record.too_deep",
		"record.too_many_members", "record.bad_utf8", "subject.erased", "subject.moved", "subject.elsewhere", "subject.homes_apart", "subject.suppressed",
		"batch.too_many_records":
		return reason
	}
	return "other"
}
