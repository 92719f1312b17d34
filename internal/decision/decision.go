// Package decision answers "may this leave?", purely: a programme, the law, a register and a time
// come in, a Decision comes out, with every reason for and against it.
//
// The programme compiles once to conditions. They are judged in Go on the data path, and printed as
// Cedar policies for whoever wants to read, test or extend them; a property test holds that both
// say the same. No I/O, and no clock but the time that is passed in.
package decision

import (
	"errors"
	"math"
	"slices"

	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
)

// Form is what data is sent as, from most to least.
type Form uint8

// The ladder: a question that is denied in one form is asked anew in the next.
const (
	Clear Form = iota
	Pseudonymised
	Aggregated
	None  // a denial's
	forms = 3
)

var formNames = [forms + 1]string{"clear", "pseudonymised", "aggregated", "none"}

// String returns the form's name in the programme.
func (f Form) String() string { return formNames[f] }

// MarshalText gives the form its name in JSON.
func (f Form) MarshalText() ([]byte, error) { return []byte(formNames[f]), nil }

// UnmarshalText reads a form's name.
func (f *Form) UnmarshalText(b []byte) error {
	i := slices.Index(formNames[:], string(b))
	if i < 0 {
		return errors.New("no form has that name")
	}
	*f = Form(i)
	return nil
}

// ParseForm returns the form with that name.
func ParseForm(s string) (Form, bool) {
	for f, name := range formNames[:forms] {
		if s == name {
			return Form(f), true
		}
	}
	return 0, false
}

// Effects of a reason.
const (
	Permits    = "permits"
	Denies     = "denies"
	PassedOver = "passed_over" // a mechanism that doesn't hold here
	Notes      = "notes"       // needs somebody's attention, and decides nothing
)

// Scopes of a denial.
const (
	WholeFlow = "flow"    // holds for whatever the flow has: it halts where it stands
	OneRecord = "record"  // holds for this kind of record or its categories: skip it for good
	OneTenant = "tenant"  // holds for this customer
	OnePerson = "subject" // holds for this person: skip for good
)

// Reason is why, in words for a lawyer and a code for a program.
type Reason struct {
	Effect string `json:"effect"`
	Code   string `json:"code"`              // stable
	Says   string `json:"says"`              // for people
	Seen   string `json:"seen,omitempty"`    // what the register says of it
	Form   string `json:"form,omitempty"`    // the form it is about, where not all
	Policy string `json:"policy,omitempty"`  // the id of the compiled policy
	At     string `json:"at,omitempty"`      // file:line of the programme, or of the operator's policy
	Rule   string `json:"rule,omitempty"`    // the law's rule
	RuleAt string `json:"rule_at,omitempty"` // its file:line
	Source string `json:"source,omitempty"`
	Mark   string `json:"mark,omitempty"` // how well the rule is known: P, S or M (from memory)
}

// Leg is one destination under one law, and what carries data there.
type Leg struct {
	Law          string `json:"law"`
	Importer     string `json:"importer"` // registered name
	Country      string `json:"country"`
	Mechanism    string `json:"mechanism,omitempty"` // its id in the programme; "" where the law asks for none
	Rule         string `json:"rule,omitempty"`
	Mark         string `json:"mark,omitempty"`
	Fallback     string `json:"fallback,omitempty"` // the next one that holds today, and doesn't fall with the first
	FallbackRule string `json:"fallback_rule,omitempty"`
	FallbackMark string `json:"fallback_mark,omitempty"`
}

// Obligation is what has to be done for the decision to hold.
type Obligation struct {
	Do    string   `json:"do"` // pseudonymise, aggregate, drop, minimum_tls
	What  []string `json:"what,omitempty"`
	Least int      `json:"least,omitempty"` // aggregate: people in a group
}

// Decision is the answer. It is shared between callers: don't change it.
type Decision struct {
	Allowed     bool           `json:"allowed"`
	Form        Form           `json:"form"`            // none when denied
	Scope       string         `json:"scope,omitempty"` // of a denial
	Manual      bool           `json:"manual_review,omitempty"`
	Flow        string         `json:"flow"`
	Recipient   string         `json:"recipient,omitempty"`
	Purpose     string         `json:"purpose,omitempty"`
	Basis       string         `json:"legal_basis,omitempty"`
	Laws        []string       `json:"laws"`
	Mechanism   string         `json:"mechanism,omitempty"` // of the first leg that needs one
	Fallback    string         `json:"fallback,omitempty"`
	Legs        []Leg          `json:"legs"`
	Obligations []Obligation   `json:"obligations"`
	Reasons     []Reason       `json:"reasons"`
	Review      programme.Date `json:"review,omitempty"` // the first day on which something that it rests on may not hold any more
	At          programme.Date `json:"at"`
	Programme   string         `json:"programme"` // hash
	Register    string         `json:"register,omitempty"`
	Rules       string         `json:"rules"` // hash of the laws and the operator's policies
}

// HaltsFlow says whether a denial holds for the whole flow, so that it stops where it stands rather
// than passing records over.
func (d *Decision) HaltsFlow() bool { return !d.Allowed && d.Scope == WholeFlow }

// Mark is how well the worst known rule is known that it rests on: P, S or M; "" where it rests on none.
func (d *Decision) Mark() (worst string) {
	for _, l := range d.Legs {
		if l.Mark != "" && (worst == "" || l.Mark == law.FromMemory || worst == law.Primary) {
			worst = l.Mark
		}
		if worst == law.FromMemory {
			break
		}
	}
	return worst
}

// Denials returns the reasons that deny, in order.
func (d *Decision) Denials() (out []Reason) {
	for _, r := range d.Reasons {
		if r.Effect == Denies {
			out = append(out, r)
		}
	}
	return out
}

// Has says whether a reason has that code.
func (d *Decision) Has(code string) bool {
	for _, r := range d.Reasons {
		if r.Code == code {
			return true
		}
	}
	return false
}

// State is a bit set of what stands against any flow of a person's data.
type State uint8

// States of a person. A legal hold keeps data from being erased, not from flowing.
const (
	Erased State = 1 << iota
	Suppressed
	Restricted
)

// OptOut is a bit set of a person's opt-outs.
type OptOut uint8

// Opt-outs. GPC is the signal of a browser or account; it stops what sells, shares or targets, and
// is no withdrawal of consent and no objection to the organisation's own use.
const (
	Marketing OptOut = 1 << iota
	CPNI
	TargetedAdvertising
	SaleOrSharing
	GPC
)

// StateNames and OptOutNames are the words of the bits, in order.
var (
	StateNames  = []string{"erased", "suppressed", "restricted"}
	OptOutNames = []string{"marketing", "cpni", "targeted_advertising", "sale_or_sharing", "gpc"}
)

// Subject is what is known of the person whom the data is about.
type Subject struct {
	// Known is false when the look-up failed or wasn't made: that denies.
	Known    bool
	States   State
	OptOuts  OptOut
	Consents []Consent // those that stand
	Objects  []string  // purposes objected to
	// Origins are the countries whose law the region knows the person to bring, each with what tells it,
	// as Brought writes them. Which of them count the programme says (person_origins).
	Origins Set
}

// Consent is one that stands. Whether it has to be asked for again is the engine's to say.
type Consent struct {
	Purpose string
	At      int64  // when an act last said so, Unix ms; where none did, when it was first heard. 0 is before everything
	Text    string // version of the text that it names; ""
}

// Consented are consents to purposes as if they were given just now.
func Consented(purposes ...string) []Consent {
	var all []Consent
	for _, p := range purposes {
		all = append(all, Consent{Purpose: p, At: math.MaxInt64})
	}
	return all
}

// to returns the consent to a purpose, nil without one.
func (s *Subject) to(purpose string) *Consent {
	for i := range s.Consents {
		if s.Consents[i].Purpose == purpose {
			return &s.Consents[i]
		}
	}
	return nil
}

// Set is a sorted list of words joined by commas, so that a question can be compared and hashed
// without allocating. Make one with NewSet and keep it.
type Set string

// Question is what is asked. What the flow declares fills what is left out, but for Flow.
type Question struct {
	Flow       string
	Tenant     string
	Service    string
	Kind       string
	Categories Set // what would leave; unclassified is never allowed
	Origins    Set // countries whose law the person brings, by whoever asks; the exporter's laws always count
	Recipient  string
	Purpose    string
	Region     string
	Case       string // a one-off transfer's case
	Most       Form   // the most that is asked for
	Subject    Subject

	anybody bool // about the flow as such: nothing stands against customer or person
}
