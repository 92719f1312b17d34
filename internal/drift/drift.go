// Package drift finds where what a region does and what its published notice says differ: data that
// is collected and that the notice doesn't list, recipients, purposes and places that it doesn't
// name. It judges, purely; what was collected and sent it is told.
package drift

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/programme"
)

// Codes of findings. They are stable.
const (
	Element    = "element.undeclared"   // data came in that nothing declared maps
	Kind       = "kind.undeclared"      // records of a kind that isn't declared any more
	Category   = "category.undeclared"  // a category that the published notice doesn't list
	Purpose    = "purpose.undeclared"   // a flow's purpose isn't in the published notice
	Basis      = "purpose.no_basis"     // a flow rests on no legal basis of its purpose as published
	Use        = "use.undeclared"       // a flow takes a category for a purpose that doesn't list it
	Recipient  = "recipient.undeclared" // who gets data isn't published
	Place      = "place.undeclared"     // data reaches a country that isn't published for who gets it
	Unknowable = "place.not_a_country"  // a recipient's place is an area, so that nobody can say where data goes
)

// All are the codes.
var All = []string{Element, Kind, Category, Purpose, Basis, Use, Recipient, Place, Unknowable}

// Finding is one thing that the region does, or is told to do, and that its notice doesn't say.
type Finding struct {
	Code string `json:"code"`
	Flow string `json:"flow,omitempty"`

	Service   string `json:"service,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Path      string `json:"path,omitempty"` // of an element; * for names that could be data
	Category  string `json:"category,omitempty"`
	Purpose   string `json:"purpose,omitempty"`
	Recipient string `json:"recipient,omitempty"`
	Country   string `json:"country,omitempty"`

	Says string `json:"says"`           // for people
	Hint string `json:"hint,omitempty"` // what to do
	At   string `json:"at,omitempty"`   // file:line of the running programme

	Tenant  string     `json:"tenant,omitempty"`
	Source  string     `json:"source,omitempty"`
	Count   int64      `json:"count,omitempty"` // records, of what was collected or sent
	FirstAt *time.Time `json:"first_at,omitempty"`
	LastAt  *time.Time `json:"last_at,omitempty"`
}

// Collected is how many records of a kind came in with a part of a category.
type Collected struct {
	Tenant, Service, Kind, Category string
	Count                           int64
	FirstAt, LastAt                 time.Time
}

// Unmapped is how many records had a member that their kind doesn't map.
type Unmapped struct {
	Tenant, Source, Service, Kind string
	Path                          string // * for names that could be data
	Count                         int64
	FirstAt, LastAt               time.Time
}

// Disclosed is what a flow has sent.
type Disclosed struct {
	Tenant, Flow, Recipient, Purpose string
	Categories                       []string
	Count                            int64
	FirstAt, LastAt                  time.Time
}

// Observed is what the data path counted.
type Observed struct {
	Collected []Collected
	Unmapped  []Unmapped
	Disclosed []Disclosed
}

// Find returns every difference between what is published and what the region runs by and does, in
// a stable order. region is the one that observed; its flows count, and no other's.
func Find(published, running *programme.Programme, region string, o Observed) []Finding {
	var all []Finding
	p := paper{published, running}
	for i := range running.Kinds {
		all = append(all, p.kind(&running.Kinds[i])...)
	}
	for i := range running.Flows {
		if running.Flows[i].From == region {
			all = append(all, p.flow(&running.Flows[i])...)
		}
	}
	all = append(all, p.collected(o.Collected)...)
	all = append(all, unmapped(o.Unmapped)...)
	all = append(all, p.disclosed(o.Disclosed)...)
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Code, b.Code), strings.Compare(a.Flow, b.Flow), strings.Compare(a.Service, b.Service), strings.Compare(a.Kind, b.Kind),
			strings.Compare(a.Path, b.Path), strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Source, b.Source))
	})
	return all
}

// Flow returns what a flow of the running programme would do that the published notice doesn't say.
// A flow for which there is anything must not start.
func Flow(published, running *programme.Programme, flow string) []Finding {
	for i := range running.Flows {
		if running.Flows[i].ID == flow {
			return (&paper{published, running}).flow(&running.Flows[i])
		}
	}
	return nil
}
