package api

import (
	"encoding/json"
	"time"
)

// traitsBody is what is known of a person by identify records.
type traitsBody struct {
	Current map[string]json.RawMessage `json:"current" doc:"by name; of several sources the one that spoke last counts, but what a public source says never against another"`
	From    map[string]traitFrom       `json:"from" doc:"where each of current comes from"`
	Sources []sourceTraits             `json:"sources" nullable:"false" doc:"what each source says, the one heard of last first"`
	Partial bool                       `json:"partial,omitempty" doc:"the person has more identify records than are read, so that an older trait can be missing"`
}

type traitFrom struct {
	Source  string    `json:"source"`
	AsOf    time.Time `json:"as_of" doc:"when the identify occurred that says so"`
	Claimed bool      `json:"claimed,omitempty" doc:"only a public source says so"`
}

type sourceTraits struct {
	Source     string                     `json:"source"`
	Claimed    bool                       `json:"claimed,omitempty" doc:"the source is public: anyone may have said it"`
	AsOf       time.Time                  `json:"as_of" doc:"when its latest identify occurred"`
	ReceivedAt time.Time                  `json:"received_at"`
	Record     string                     `json:"record" doc:"that identify"`
	Traits     map[string]json.RawMessage `json:"traits" doc:"by name: of its latest identify, and of earlier ones what no later one speaks of; null takes a trait away"`
}

// traitsOf is t over the wire; nil where there is none.
func traitsOf(t *Traits) *traitsBody {
	if t == nil {
		return nil
	}
	b := &traitsBody{Current: byName(t.Current), From: map[string]traitFrom{}, Sources: make([]sourceTraits, len(t.Sources)), Partial: t.Partial}
	for _, one := range t.Current {
		b.From[one.Name] = traitFrom{Source: one.Source, AsOf: one.AsOf, Claimed: one.Claimed}
	}
	for i, s := range t.Sources {
		b.Sources[i] = sourceTraits{Source: s.Source, Claimed: s.Claimed, AsOf: s.AsOf, ReceivedAt: s.ReceivedAt,
			Record: s.Record.String(), Traits: byName(s.Traits)}
	}
	return b
}

func byName(traits []Trait) map[string]json.RawMessage {
	m := make(map[string]json.RawMessage, len(traits))
	for _, t := range traits {
		m[t.Name] = t.Value
	}
	return m
}
