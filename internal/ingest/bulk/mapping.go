package bulk

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zone works in containers without zones, too

	"domicile.dev/internal/ingest/native"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/term"
)

// Mapping says how the rows of a CSV file become native records. Format: docs/import.md.
type Mapping struct {
	Service    string            `yaml:"service" is:"required;word" doc:"The service of the programme that the records belong to."`
	Kind       string            `yaml:"kind" is:"required;word" doc:"Their kind, as the programme declares it."`
	Delimiter  string            `yaml:"delimiter" is:"enum=comma,semicolon,tab,pipe" doc:"What stands between fields. Default: comma."`
	ID         string            `yaml:"id" is:"required" doc:"The column of the record's id, or a text with columns in braces, such as {account}-{number}."`
	OccurredAt moment            `yaml:"occurred_at" is:"required" doc:"The column that says when it happened."`
	Subjects   []mappedSubject   `yaml:"subjects" doc:"Whom a record is about."`
	Data       map[string]string `yaml:"data" is:"keys=path" doc:"Paths of the record's data, each with the column that it comes from."`
	Rest       bool              `yaml:"rest" doc:"Keep columns that are named nowhere in this file, too, each under its own name."`

	id []piece // ID in parts
}

type moment struct {
	Column string `yaml:"column" is:"required;scalar" doc:"The column."`
	Layout string `yaml:"layout" doc:"How it is written: rfc3339 (the default), unix, unix_ms, or 2006-01-02 15:04:05 written in that way."`
	Zone   string `yaml:"zone" doc:"The zone of times that name none, such as Europe/Dublin. Default: UTC."`

	zone *time.Location
}

type mappedSubject struct {
	Type   string `yaml:"type" is:"required" doc:"The identifier's type, such as email or phone."`
	Column string `yaml:"column" is:"required" doc:"The column that holds it."`
	Role   string `yaml:"role" is:"enum=subject,sender,recipient,participant,own" doc:"The person's part in it. Default: subject."`
}

// piece is a text, or the value of a column.
type piece struct {
	text   string
	column string
}

var delimiters = map[string]byte{"": ',', "comma": ',', "semicolon": ';', "tab": '\t', "pipe": '|'}

// typeForm is what a native record takes for an identifier's type.
var typeForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// ReadMapping reads a mapping, which faults call file. The error is a programme.Faults with the
// line and column of each.
func ReadMapping(file string, src []byte) (*Mapping, error) {
	m := &Mapping{}
	doc := programme.ReadDocument(file, "mapping", src, m)
	if m.ID != "" {
		m.checkID(doc)
	}
	m.checkTime(doc)
	if len(m.Subjects) > native.MaxSubjects {
		doc.Fault(m, "subjects", fmt.Sprintf("a record has at most %d subjects", native.MaxSubjects), "")
	}
	for i := range m.Subjects {
		if s := &m.Subjects[i]; s.Type != "" && !typeForm.MatchString(s.Type) {
			doc.Fault(s, "type", fmt.Sprintf("%q is not a type of identifier", s.Type), "such as email, phone or user_id")
		}
	}
	m.checkData(doc)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

// checkID splits ID. A text that is the same for all rows would make one record of the file.
func (m *Mapping) checkID(doc *programme.Document) {
	if !strings.ContainsAny(m.ID, "{}") {
		m.id = []piece{{column: m.ID}}
		return
	}
	for rest := m.ID; rest != ""; {
		text, after, found := strings.Cut(rest, "{")
		if text != "" {
			m.id = append(m.id, piece{text: text})
		}
		if !found {
			break
		}
		column, next, closed := strings.Cut(after, "}")
		if !closed || column == "" {
			doc.Fault(m, "id", "a brace of the id is not closed, or holds no column", "write it as {account}-{number}")
			return
		}
		if n := len(m.id); n > 0 && m.id[n-1].column != "" { // 1 and 23 would be 12 and 3, and one of them lost as a duplicate
			doc.Fault(m, "id", "nothing stands between two columns of the id", "write it as {account}-{number}, with what no account holds")
			return
		}
		m.id, rest = append(m.id, piece{column: column}), next
	}
	if !slices.ContainsFunc(m.id, func(p piece) bool { return p.column != "" }) || strings.Count(m.ID, "{") != strings.Count(m.ID, "}") {
		doc.Fault(m, "id", "the id names no column, or a brace is missing", "write it as {account}-{number}")
	}
}

// checkTime refuses a layout that loses the day.
func (m *Mapping) checkTime(doc *programme.Document) {
	at := &m.OccurredAt
	at.zone = time.UTC
	switch at.Layout {
	case "", "rfc3339", "unix", "unix_ms":
		if at.Zone != "" {
			doc.Fault(at, "zone", "the zone goes with a layout of your own", "these layouts have theirs already")
		}
		return
	}
	ref := time.Date(2019, 11, 23, 0, 0, 0, 0, time.UTC)
	if back, err := time.Parse(at.Layout, ref.Format(at.Layout)); err != nil || !back.Equal(ref) {
		doc.Fault(at, "layout", "the layout does not say which day", "write how 2 January 2006, 15:04:05 would look, such as 02/01/2006 15:04:05")
	}
	if at.Zone != "" {
		zone, err := time.LoadLocation(at.Zone)
		if err != nil || at.Zone == "Local" {
			doc.Fault(at, "zone", fmt.Sprintf("%q is not a time zone", at.Zone), "such as Europe/Dublin")
			return
		}
		at.zone = zone
	}
}

// checkData refuses paths that stand for several, and values where others need an object.
func (m *Mapping) checkData(doc *programme.Document) {
	if len(m.Data) == 0 && !m.Rest {
		doc.Fault(m, "data", "no column becomes data", "name them under data, or write rest: true")
	}
	for _, path := range slices.Sorted(maps.Keys(m.Data)) {
		if slices.Contains(strings.Split(path, "."), "*") {
			doc.Fault(m, "data", fmt.Sprintf("%q stands for several paths", path), "name one")
		}
		for other := range m.Data {
			if strings.HasPrefix(path, other+".") {
				doc.Fault(m, "data", fmt.Sprintf("%q is a value, and %q lies in it", other, path), "rename one of them")
			}
		}
	}
}

// columns are those that the mapping names.
func (m *Mapping) columns() []string {
	all := []string{m.OccurredAt.Column}
	for _, p := range m.id {
		if p.column != "" {
			all = append(all, p.column)
		}
	}
	for _, s := range m.Subjects {
		all = append(all, s.Column)
	}
	return append(all, slices.Sorted(maps.Values(m.Data))...)
}

func (s mappedSubject) role() string {
	if s.Role == "" {
		return term.RoleSubject
	}
	return s.Role
}
