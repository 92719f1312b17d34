package decision

import (
	"fmt"
	"slices"
	"time"

	"domicile.dev/internal/programme"
)

// SuiteFormat is the version of the format of cases, the value of the key `format`.
const SuiteFormat = "domicile.cases/v1"

// SuiteSuffix ends the names of files of cases, in a programme's folder.
const SuiteSuffix = ".test.yaml"

// Suite is a file of cases: questions with the answers that a programme has to give.
type Suite struct {
	File   string         `yaml:"-"`
	Format string         `yaml:"format" is:"required;const=domicile.cases/v1" doc:"The version of this format."`
	At     programme.Date `yaml:"at" is:"required" doc:"The day on which the questions are asked."`
	Cases  []Case         `yaml:"cases" is:"required" doc:"The cases."`
}

// Case is one question and its answer.
type Case struct {
	Name      string         `yaml:"name" is:"required" doc:"What it shows."`
	At        programme.Date `yaml:"at" doc:"Another day than the file's."`
	Without   []string       `yaml:"without" doc:"Mechanisms or rules of law that are struck."`
	Ask       Ask            `yaml:"ask" is:"required" doc:"The question."`
	Want      string         `yaml:"want" is:"required;enum=clear,pseudonymised,aggregated,denied" doc:"The answer."`
	Mechanism string         `yaml:"mechanism" doc:"What it rests on."`
	Fallback  string         `yaml:"fallback" doc:"What would carry it next."`
	Codes     []string       `yaml:"codes" doc:"Codes that must be among the reasons."`

	place programme.Position
}

// Ask is a Question as people write it.
type Ask struct {
	Flow       string   `yaml:"flow" is:"required;word" doc:"The flow."`
	Tenant     string   `yaml:"tenant" is:"word" doc:"The customer."`
	Service    string   `yaml:"service" is:"word" doc:"The service; may be left out where the flow has one that has the kind."`
	Kind       string   `yaml:"kind" is:"required;word" doc:"The kind of record."`
	Categories []string `yaml:"categories" is:"word" doc:"What would leave; what the flow declares of the kind when left out."`
	Origins    []string `yaml:"origins" is:"jurisdiction" doc:"Whose law the person brings: countries, EU or EEA."`
	Recipient  string   `yaml:"recipient" is:"word" doc:"The recipient, the flow's when left out."`
	Purpose    string   `yaml:"purpose" is:"word" doc:"The purpose, the flow's when left out."`
	Region     string   `yaml:"region" is:"word" doc:"The region, the flow's when left out."`
	Form       string   `yaml:"form" is:"enum=clear,pseudonymised,aggregated" doc:"The most that is asked for."`
	Case       string   `yaml:"case" is:"word" doc:"A one-off transfer's case."`
	Unknown    bool     `yaml:"unknown" doc:"True when the person's state couldn't be looked up."`
	States     []string `yaml:"states" is:"enum=erased,suppressed,restricted" doc:"What stands against any flow of the person's."`
	OptOuts    []string `yaml:"opt_outs" is:"enum=marketing,cpni,targeted_advertising,sale_or_sharing,gpc" doc:"The person's opt-outs."`
	Consents   []string `yaml:"consents" is:"word" doc:"Purposes that the person consents to."`
	Objects    []string `yaml:"objects" is:"word" doc:"Purposes that the person objects to."`
}

// Question returns what e is asked.
func (a Ask) Question(e *Engine) Question {
	q := Question{Flow: a.Flow, Tenant: a.Tenant, Service: a.Service, Kind: a.Kind, Categories: NewSet(a.Categories...),
		Recipient: a.Recipient, Purpose: a.Purpose, Region: a.Region, Case: a.Case,
		Subject: Subject{Known: !a.Unknown, Consents: Consented(a.Consents...), Objects: a.Objects}}
	var origins []string
	for _, j := range a.Origins {
		origins = append(origins, programme.Expand(j)...)
	}
	q.Origins = NewSet(origins...)
	q.Most, _ = ParseForm(a.Form) // none is clear, and the flow's own form is the most anyway
	for i, n := range StateNames {
		if slices.Contains(a.States, n) {
			q.Subject.States |= 1 << i
		}
	}
	for i, n := range OptOutNames {
		if slices.Contains(a.OptOuts, n) {
			q.Subject.OptOuts |= 1 << i
		}
	}
	if pl := e.plans[q.Flow]; pl != nil && q.Service == "" {
		for _, s := range pl.f.Services {
			if e.p.Kind(s, q.Kind) != nil {
				q.Service = s
				break
			}
		}
	}
	if len(a.Categories) == 0 {
		q.Categories = e.CategoriesFor(q.Flow, q.Service, q.Kind)
	}
	return q
}

// ParseSuite reads a file of cases, strictly. The error is programme.Faults.
func ParseSuite(file string, src []byte) (*Suite, error) {
	s := &Suite{File: file}
	doc := programme.ReadDocument(file, "cases", src, s)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	for i := range s.Cases {
		s.Cases[i].place = doc.Position(&s.Cases[i])
	}
	return s, nil
}

// Result is how a case came out. Wrong is "" when it is as wanted.
type Result struct {
	Name  string `json:"name"`
	At    string `json:"at"` // file:line
	Wrong string `json:"wrong,omitempty"`
}

// Run asks the cases. engine returns the engine with something struck; it is asked once a case.
func (s *Suite) Run(engine func(without []string) (*Engine, error)) (out []Result, err error) {
	for i := range s.Cases {
		c := &s.Cases[i]
		e, err := engine(c.Without)
		if err != nil {
			return nil, fmt.Errorf("case at %s: %w", c.place, err)
		}
		day := c.At
		if day == "" {
			day = s.At
		}
		q := c.Ask.Question(e)
		out = append(out, Result{Name: c.Name, At: c.place.String(), Wrong: c.judge(e.Decide(&q, day.Time().Add(12*time.Hour)))})
	}
	return out, nil
}

func (c *Case) judge(d *Decision) string {
	got := "denied"
	if d.Allowed {
		got = d.Form.String()
	}
	switch {
	case got != c.Want:
		why := ""
		for _, r := range d.Reasons {
			if r.Effect == Denies || r.Effect == PassedOver {
				why += "\n    " + r.Code + ": " + r.Says
			}
		}
		return fmt.Sprintf("%s, want %s%s", got, c.Want, why)
	case c.Mechanism != "" && d.Mechanism != c.Mechanism:
		return fmt.Sprintf("rests on %q, want %q", d.Mechanism, c.Mechanism)
	case c.Fallback != "" && d.Fallback != c.Fallback:
		return fmt.Sprintf("falls back on %q, want %q", d.Fallback, c.Fallback)
	}
	for _, code := range c.Codes {
		if !d.Has(code) {
			return fmt.Sprintf("no reason has the code %s", code)
		}
	}
	return ""
}
