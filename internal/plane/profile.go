package plane

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/record"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// The records that a profile is made of, and how many of them are read at most.
const (
	identifyKind   = "identify"
	profileRecords = 1000
	profileBytes   = 8 << 20 // of opened content
	profilePage    = 100
)

// Traits are what identify records say of a person now. Nothing of them is stored but those records:
// what an erasure, a merge, a restriction or the end of a retention does to records, it does to them.
type Traits struct {
	// Current are the traits of all sources put together, by name.
	Current []Trait
	// Sources are what each source says, the one heard of last first.
	Sources []SourceTraits
	// Partial says that there are more identify records than are read, so that an older trait can be missing.
	Partial bool
}

// Trait is one trait of a person. Value is JSON, and never null: a null takes the trait away.
type Trait struct {
	Name    string
	Value   json.RawMessage
	Source  string
	Claimed bool // the source is public, so that anyone may have said it
	AsOf    time.Time
}

// SourceTraits are those of a source's latest identify, and of its earlier ones those that no later
// one speaks of. Latest is by the time at which it occurred, so that what comes late wins nothing.
type SourceTraits struct {
	Source           string
	Claimed          bool
	AsOf, ReceivedAt time.Time // of the latest identify
	Record           id.Record // that identify
	Traits           []Trait   // by name
}

// Profile returns the person with their traits and whose law they bring. Those of somebody restricted are shown for a
// purpose of GDPR art. 18(2) only, which is entered in the ledger first; without one the view has none.
//
// It opens the person's 1,000 newest identify records at most, and so costs more than Subject.
//
// Errors: NotFound; Gone subject.erased; Invalid purpose.unknown.
func (p *Plane) Profile(ctx context.Context, c *tenant.Caller, s id.Subject, purpose string) (SubjectView, error) {
	use, err := p.useOf(c)
	if err != nil {
		return SubjectView{}, err
	}
	if err := p.enterRestricted(ctx, c, s, purpose); err != nil {
		return SubjectView{}, err
	}
	var v SubjectView
	err = p.view(ctx, c, func(tx store.Tx) error {
		pers, err := p.personOf(tx, c.Tenant, s)
		if err != nil {
			return err
		}
		if err := p.mayRead(tx, c, pers); err != nil {
			return err
		}
		if v, err = p.subjectView(tx, c, pers); err != nil || p.mayUse(pers.head, purpose) != nil {
			return err
		}
		if v.Origins, err = p.originsOf(tx, pers); err == nil {
			v.Traits, err = p.traitsOf(tx, c, pers, use)
		}
		return err
	})
	return v, err
}

// traitsOf reads the person's identify records, newest first, and puts their traits together.
func (p *Plane) traitsOf(tx store.Tx, c *tenant.Caller, pers *somebody, use *Use) (*Traits, error) {
	b := newProfile()
	partial, err := p.eachIdentify(tx, c, pers, use, b.add)
	if err != nil {
		return nil, err
	}
	b.partial = partial
	return b.traits(p.claims), nil
}

// eachIdentify opens the person's identify records, newest first, as far as the use has their categories. It says
// whether there are more than are read.
func (p *Plane) eachIdentify(tx store.Tx, c *tenant.Caller, pers *somebody, use *Use, each func(*record.Found, []byte)) (partial bool, err error) {
	mine := map[id.Subject]bool{}
	for _, r := range pers.rows {
		mine[r.Subject] = true
	}
	o := opener{keep: func(part *record.FoundPart) bool { return mine[part.Subject] && use.has(part.Category) }}
	keys, _, err := p.keysOf(tx, c, pers, nil, "")
	if err != nil {
		return false, err
	}
	q := record.Query{Kinds: []string{identifyKind}, Limit: profilePage}
	for read, size, more := 0, 0, true; more; {
		if read >= profileRecords || size >= profileBytes {
			return true, nil
		}
		var found []record.Found
		if found, more, err = p.Log.Find(tx, c.Tenant, pers.subjects(), q); err != nil {
			return false, fmt.Errorf("find identify records: %w", err)
		}
		for i := range found {
			v, err := o.open(p, c.TenantID, &found[i], keys)
			if err != nil {
				return false, err
			}
			each(&found[i], v.Data)
			size += len(v.Data)
			q.After = found[i].At
		}
		read += len(found)
		more = more && len(found) > 0
	}
	return false, nil
}

// claims says whether what a source says is only a claim, since anyone can have its key.
func (p *Plane) claims(source string) bool { return p.Trust != nil && p.Trust(source) == term.Public }

// word is the newest word of one source on one trait. Value is null when it takes the trait away.
type word struct {
	value    json.RawMessage
	occurred int64
	order    int // 0 is the record that was accepted last
}

// later says whether w holds against o.
func (w word) later(o word) bool {
	return w.occurred > o.occurred || w.occurred == o.occurred && w.order < o.order
}

type sourceProfile struct {
	latest word // of its latest identify, without a value
	record *record.Found
	words  map[string]word
}

// profileBuilder puts traits together from records that come newest first.
type profileBuilder struct {
	sources map[string]*sourceProfile
	records int
	partial bool
}

func newProfile() *profileBuilder { return &profileBuilder{sources: map[string]*sourceProfile{}} }

// add takes in one record; data is its content as far as it is the person's, nil when nothing is.
func (b *profileBuilder) add(f *record.Found, data []byte) {
	at := word{occurred: f.OccurredAt, order: b.records}
	b.records++
	if data == nil {
		return
	}
	s := b.sources[f.Source]
	if s == nil {
		s = &sourceProfile{latest: at, record: f, words: map[string]word{}}
		b.sources[f.Source] = s
	}
	if at.later(s.latest) {
		s.latest, s.record = at, f
	}
	top := members(data)
	for _, traits := range []map[string]json.RawMessage{members(top["traits"]), members(members(top["context"])["traits"])} {
		for name, value := range traits { // in one record, traits goes before context.traits
			at.value = value
			if have, known := s.words[name]; !known || at.later(have) {
				s.words[name] = at
			}
		}
	}
}

// members returns those of a JSON object, nil for anything else. Names count as they are written,
// which decoding into a struct would not do.
func members(raw json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}

// traits returns the result. Of several sources the one that spoke last of a trait is believed, but
// no claim against what a server source said.
func (b *profileBuilder) traits(claims func(source string) bool) *Traits {
	t := &Traits{Partial: b.partial, Current: []Trait{}, Sources: []SourceTraits{}}
	current := map[string]word{}
	from := map[string]Trait{}
	for _, source := range sortedSources(b.sources) {
		s := b.sources[source]
		out := SourceTraits{Source: source, Claimed: claims(source), AsOf: milli(s.latest.occurred), ReceivedAt: milli(s.record.ReceivedAt),
			Record: s.record.ID, Traits: []Trait{}}
		for name, w := range s.words {
			one := Trait{Name: name, Value: w.value, Source: source, Claimed: out.Claimed, AsOf: milli(w.occurred)}
			if string(w.value) != "null" {
				out.Traits = append(out.Traits, one)
			}
			have, known := from[name]
			if !known || have.Claimed && !one.Claimed || have.Claimed == one.Claimed && w.later(current[name]) {
				current[name], from[name] = w, one
			}
		}
		slices.SortFunc(out.Traits, byName)
		t.Sources = append(t.Sources, out)
	}
	for _, one := range from {
		if string(one.Value) != "null" {
			t.Current = append(t.Current, one)
		}
	}
	slices.SortFunc(t.Current, byName)
	return t
}

func byName(a, b Trait) int { return strings.Compare(a.Name, b.Name) }

// sortedSources returns the sources, the one with the latest identify first.
func sortedSources(m map[string]*sourceProfile) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if m[a].latest.later(m[b].latest) {
			return -1
		}
		return 1
	})
	return names
}

func milli(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
