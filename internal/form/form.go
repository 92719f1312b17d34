// Package form makes of a record what may leave: the line of a delivery in the form that the decision on
// it allows. Clear data is joined from the parts that may leave; pseudonymised data is only what the
// programme's table lets through; aggregated data is counts of groups that are large enough.
//
// It is pure: no store, no clock. Who may be in a line is decided before; nothing here adds anything.
//
// Rules: docs/forms.md. Lines: the same page.
package form

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/scan"
)

// Part is one opened part: the text of a JSON object, of one category, about one person or id.Nobody.
type Part struct {
	Category string
	Subject  id.Subject
	JSON     []byte
}

// Record is what may leave of a record: the parts of the flow's categories about people whom the
// decision allows.
type Record struct {
	ID                     id.Record
	Kind, Service          string
	OccurredAt, ReceivedAt time.Time
	Parts                  []Part
}

// Keys makes the pseudonyms of one tenant for one recipient and purpose; a *vault.Pseudonyms.
type Keys interface {
	Subject(id.Subject) id.Pseudonym
	Record(id.Record) id.RecordPseudonym
}

// Shaper makes the lines of one flow of one tenant. It belongs to one goroutine: it keeps its buffers.
type Shaper struct {
	p      *programme.Programme
	f      *programme.Flow
	most   decision.Form
	keys   Keys
	leaves []string // categories whose parts the flow has
	tables map[[2]string]*table

	last     *decision.Decision // the last one asked about, and what it says
	dropped  []string
	docs     []*scan.Doc
	taken    []int // indices of the record's parts that are shaped; docs has them in the same order
	subjects []id.Subject
	found    finder
	data     []byte
	merge    merger
}

// New returns the Shaper of a flow. Keys are for the tenant whose records it shapes, the flow's recipient
// and its purpose.
func New(p *programme.Programme, f *programme.Flow, keys Keys) (*Shaper, error) {
	most, ok := decision.ParseForm(f.Form)
	if !ok {
		return nil, fault.New(fault.Invalid, "form.unknown", "the flow %s has no form %q", f.ID, f.Form)
	}
	return &Shaper{p: p, f: f, most: most, keys: keys, leaves: p.LeavesOf(f), tables: map[[2]string]*table{}}, nil
}

// Shape appends the record's line in the form that d allows, a JSON object and a line feed. What d wants
// dropped, and what the flow doesn't declare, isn't in it. On an error dst is returned as it was.
//
// Errors: Forbidden when d allows nothing, is on another flow or programme, or allows more than the flow
// asks for; Invalid when it wants counts, which a Window makes, or when a part can't be read.
func (s *Shaper) Shape(dst []byte, r *Record, d *decision.Decision) ([]byte, error) {
	if err := s.heed(d); err != nil {
		return dst, err
	}
	defer s.forget()
	if err := s.take(r); err != nil {
		return dst, err
	}
	if d.Form == decision.Clear {
		return s.clear(dst, r)
	}
	return s.pseudonymised(dst, r), nil
}

// Subjects returns whom the last line names, in its order, until the next Shape: the people whose
// pseudonyms are to be remembered before the line leaves.
func (s *Shaper) Subjects() []id.Subject { return s.subjects }

// heed checks what d says. Decisions are shared and don't change: one is looked at once.
func (s *Shaper) heed(d *decision.Decision) error {
	if d == s.last {
		return nil
	}
	if err := s.allows(d); err != nil {
		return err
	}
	if d.Form == decision.Aggregated {
		return fault.New(fault.Invalid, "form.aggregated", "the flow %s may send counts only", s.f.ID)
	}
	s.last, s.dropped = d, dropped(d)
	return nil
}

func (s *Shaper) allows(d *decision.Decision) error {
	switch {
	case !d.Allowed || d.Form >= decision.None:
		return fault.New(fault.Forbidden, "form.denied", "the decision on the flow %s allows nothing", s.f.ID)
	case d.Flow != s.f.ID:
		return fault.New(fault.Forbidden, "form.other_flow", "the decision is on the flow %s, not on %s", d.Flow, s.f.ID)
	case d.Programme != s.p.Hash:
		return fault.New(fault.Forbidden, "form.other_programme", "the decision on the flow %s rests on another programme", s.f.ID)
	case d.Form < s.most:
		return fault.New(fault.Forbidden, "form.beyond", "the flow %s never sends %s", s.f.ID, d.Form)
	}
	return nil
}

// dropped are the categories that the decision wants dropped.
func dropped(d *decision.Decision) (out []string) {
	for _, o := range d.Obligations {
		if o.Do == "drop" {
			out = append(out, o.What...)
		}
	}
	return out
}

// take scans the parts that are shaped and notes whom they are about.
func (s *Shaper) take(r *Record) error {
	s.taken, s.subjects = s.taken[:0], s.subjects[:0]
	for i := range r.Parts {
		p := &r.Parts[i]
		if !slices.Contains(s.leaves, p.Category) || slices.Contains(s.dropped, p.Category) {
			continue
		}
		if len(s.taken) == len(s.docs) {
			s.docs = append(s.docs, new(scan.Doc))
		}
		if err := s.docs[len(s.taken)].ParseAll(p.JSON, limits); err != nil || s.docs[len(s.taken)].Nodes[0].Kind != scan.Object {
			return unreadable(r, err)
		}
		s.taken = append(s.taken, i)
		if !p.Subject.IsNobody() && !slices.Contains(s.subjects, p.Subject) {
			s.subjects = append(s.subjects, p.Subject)
		}
	}
	return nil
}

// forget lets go of the record.
func (s *Shaper) forget() {
	for _, d := range s.docs {
		d.Src = nil
	}
}

// limits are those of what was accepted before.
var limits = scan.Limits{Depth: 10_000, Members: math.MaxInt}

func unreadable(r *Record, err error) error {
	return fault.New(fault.Invalid, "form.unreadable", "a part of %s is no JSON object", r.ID).Because(err)
}

// clear appends the record as it is.
func (s *Shaper) clear(dst []byte, r *Record) ([]byte, error) {
	data, err := s.merge.join(s.data[:0], s.docs[:len(s.taken)])
	if err != nil {
		return dst, fault.New(fault.Invalid, "form.parts_disagree", "parts of %s hold the same member", r.ID)
	}
	s.data = data
	dst = r.ID.AppendTo(append(dst, `{"id":"`...))
	dst = append(s.header(dst, r, ""), `"subjects":[`...)
	for i, sub := range s.subjects {
		dst = append(sub.AppendTo(append(comma(dst, i), '"')), '"')
	}
	dst = append(dst, `],"categories":[`...)
	return append(append(s.categories(dst, r, nil), data...), "}\n"...), nil
}

// pseudonymised appends what the table lets through.
func (s *Shaper) pseudonymised(dst []byte, r *Record) []byte {
	t := s.table(r.Service, r.Kind)
	s.found.reset(t)
	for n, i := range s.taken {
		s.found.look(t, s.docs[n], r.Parts[i].Category, r.Parts[i].Subject)
	}
	s.data = s.found.write(s.data[:0], t, s.keys)
	dst = s.keys.Record(r.ID).AppendTo(append(dst, `{"id":"`...))
	dst = append(s.header(dst, r, s.f.Times), `"subjects":[`...)
	for i, sub := range s.subjects {
		dst = append(s.keys.Subject(sub).AppendTo(append(comma(dst, i), '"')), '"')
	}
	dst = append(dst, `],"categories":[`...)
	return append(append(s.categories(dst, r, s.found.kept), s.data...), "}\n"...)
}

// header closes the id and appends kind, service and times.
func (s *Shaper) header(dst []byte, r *Record, cut string) []byte {
	dst = appendText(append(dst, `","kind":`...), r.Kind)
	dst = appendText(append(dst, `,"service":`...), r.Service)
	dst = appendTime(append(dst, `,"occurred_at":"`...), r.OccurredAt, cut)
	dst = appendTime(append(dst, `","received_at":"`...), r.ReceivedAt, cut)
	return append(dst, `",`...)
}

// categories appends the categories of the parts, in byte order, or those of kept only, and the name of
// the data.
func (s *Shaper) categories(dst []byte, r *Record, kept []string) []byte {
	var room [16]string
	names := room[:0]
	for _, i := range s.taken {
		c := r.Parts[i].Category
		if !slices.Contains(names, c) && (kept == nil || slices.Contains(kept, c)) {
			names = append(names, c)
		}
	}
	slices.SortFunc(names, strings.Compare)
	for i, c := range names {
		dst = appendText(comma(dst, i), c)
	}
	return append(dst, `],"data":`...)
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

// appendText appends s as a JSON string. Words of the programme need no escape.
func appendText(dst []byte, s string) []byte {
	start := len(dst)
	dst = append(append(append(dst, '"'), s...), '"')
	if !plainText(s) {
		return appendString(dst[:start], []byte(s))
	}
	return dst
}

func plainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// appendTime appends t in UTC to the millisecond, or cut to its minute, hour or day.
func appendTime(dst []byte, t time.Time, cut string) []byte {
	t = t.UTC()
	switch cut {
	case windowMinute:
		t = t.Truncate(time.Minute)
	case programme.TreatHour:
		t = t.Truncate(time.Hour)
	case programme.TreatDay:
		t = t.Truncate(24 * time.Hour)
	}
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = append(digits(dst, year, 4), '-')
	dst = append(digits(dst, int(month), 2), '-')
	dst = append(digits(dst, day, 2), 'T')
	dst = append(digits(dst, hour, 2), ':')
	dst = append(digits(dst, minute, 2), ':')
	dst = digits(dst, second, 2)
	if ms := t.Nanosecond() / 1e6; cut == "" {
		dst = digits(append(dst, '.'), ms, 3)
	}
	return append(dst, 'Z')
}

func digits(dst []byte, n, width int) []byte {
	for div := [...]int{1, 10, 100, 1000}[width-1]; div > 0; div /= 10 {
		dst = append(dst, '0'+byte(n/div%10))
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// appendString appends text as a JSON string with the escapes that JSON needs and no other. What is no
// UTF-8 becomes U+FFFD.
func appendString(dst, text []byte) []byte {
	dst = append(dst, '"')
	for _, c := range bytes.ToValidUTF8(text, []byte("\uFFFD")) {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

func appendInt(dst []byte, n int) []byte { return strconv.AppendInt(dst, int64(n), 10) }
