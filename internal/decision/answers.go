package decision

import (
	"strings"
	"time"

	"domicile.dev/internal/programme"
)

// Answer is what a flow as such may do with one kind: nothing stands against a customer or a person.
type Answer struct {
	Service, Kind string
	Categories    []string // that would leave
	Decision      *Decision
}

// Answers returns what a flow may do with each of its kinds that have something it declares, in order.
// It keeps nothing: ask once for an engine and a day.
func (e *Engine) Answers(flow string, now time.Time) (all []Answer) {
	s := e.survey(flow, now)
	for _, k := range s.order {
		if d := s.kinds[k]; d != nil {
			service, kind, _ := strings.Cut(k, "/")
			all = append(all, Answer{service, kind, e.CategoriesFor(flow, service, kind).Words(), d})
		}
	}
	return all
}

// Programme returns the programme that the engine judges by.
func (e *Engine) Programme() *programme.Programme { return e.p }

// FormOf returns the most that a flow asks for.
func FormOf(f *programme.Flow) Form { return formOf(f.Form) }
