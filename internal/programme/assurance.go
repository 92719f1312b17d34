package programme

import "slices"

// Principle is one of a framework's principles, which controls and requirements hang on.
type Principle struct {
	ID   string `yaml:"id" is:"required;id=principles" doc:"Short name."`
	Name string `yaml:"name" is:"required" doc:"The name on pages."`
	Says string `yaml:"says" doc:"What it asks for, in a sentence."`
}

// Framework is a standard that controls are mapped to.
type Framework struct {
	ID     string `yaml:"id" is:"required;id=frameworks" doc:"Short name."`
	Name   string `yaml:"name" is:"required" doc:"The name on pages, with its edition."`
	Source string `yaml:"source" doc:"The document that names it."`
	Note   string `yaml:"note" doc:"Anything that a reader should know."`
}

// Control is one thing that is done to protect people's data.
type Control struct {
	ID            string   `yaml:"id" is:"required;id=controls" doc:"Short name."`
	Name          string   `yaml:"name" is:"required" doc:"The name on pages."`
	Says          string   `yaml:"says" is:"required" doc:"What is done, in a sentence."`
	Kind          string   `yaml:"kind" is:"required;enum=technical,organisational,contractual" doc:"What it is."`
	Owner         string   `yaml:"owner" is:"required" doc:"Who answers for it: a role, no person's name."`
	Principles    []string `yaml:"principles" is:"required;ref=principles" doc:"The principles that it serves."`
	Maps          []Mapped `yaml:"maps" doc:"Where it stands in frameworks."`
	Laws          []string `yaml:"laws" doc:"Articles that it helps to keep, such as GDPR art. 32(1)(a)."`
	From          string   `yaml:"from" is:"enum=normal,high,special" doc:"The least sensitivity of categories that it is for; normal when left out."`
	FlowForm      string   `yaml:"flow_form" is:"enum=pseudonymised,aggregated" doc:"The most that a flow may ask for of categories that it is for."`
	Measured      string   `yaml:"measured" is:"enum=tls,rest,erasure,ledger" doc:"Which of a node's own looks shows it, each time that its page is asked for."`
	Evidence      []string `yaml:"evidence" is:"ref=documents" doc:"Documents that show it."`
	Supplementary bool     `yaml:"supplementary" doc:"True when it is a measure beside a transfer mechanism."`
	Reviewed      Date     `yaml:"reviewed" doc:"When somebody last looked."`
	Review        Period   `yaml:"review" doc:"How often somebody has to: days, weeks, months or years."`
	Note          string   `yaml:"note" doc:"Anything that a reader should know."`
}

// Mapped is a place in a framework.
type Mapped struct {
	Framework string   `yaml:"framework" is:"required;ref=frameworks" doc:"The framework."`
	At        []string `yaml:"at" is:"required" doc:"Its numbers there."`
}

// RequirementSet is what a certificate asks for.
type RequirementSet struct {
	ID            string        `yaml:"id" is:"required;id=requirement_sets" doc:"Short name."`
	Name          string        `yaml:"name" is:"required" doc:"The name on pages."`
	Certification string        `yaml:"certification" is:"required;ref=certifications" doc:"The certificate that it is for."`
	Owner         string        `yaml:"owner" is:"required" doc:"Who answers for requirements that name nobody: a role."`
	Note          string        `yaml:"note" doc:"Where numbers and wording come from."`
	Items         []Requirement `yaml:"items" is:"required" doc:"The requirements."`
}

// Requirement is one thing that a certificate asks for.
type Requirement struct {
	ID        string   `yaml:"id" is:"required;id" doc:"Its number or short name in the set."`
	Principle string   `yaml:"principle" is:"required;ref=principles" doc:"The principle that it belongs to."`
	Says      string   `yaml:"says" is:"required" doc:"What is asked, in a sentence of one's own."`
	Owner     string   `yaml:"owner" doc:"Who answers for it, when it isn't the set's owner."`
	Controls  []string `yaml:"controls" is:"ref=controls" doc:"What is done for it. Without any, or evidence, it is open."`
	Evidence  []string `yaml:"evidence" is:"ref=documents" doc:"Documents that show it."`
	Laws      []string `yaml:"laws" doc:"Articles that the same evidence serves."`
	Reviews   []Review `yaml:"reviews" doc:"What reviewers found, the newest first."`
}

// Review is what a reviewer found of a requirement.
type Review struct {
	By      string `yaml:"by" is:"required" doc:"Who reviewed: a body or a role."`
	On      When   `yaml:"on" is:"required" doc:"When."`
	Finding string `yaml:"finding" is:"required;enum=met,met_in_part,not_met,not_applicable" doc:"The finding."`
	Note    string `yaml:"note" doc:"The reviewer's notes."`
}

// Economy is how far an economy of a certification system is.
type Economy struct {
	ID       string `yaml:"id" is:"required;id=economies" doc:"Short name."`
	Name     string `yaml:"name" is:"required" doc:"The name on pages."`
	Country  string `yaml:"country" is:"required;country" doc:"ISO 3166-1 alpha-2 code."`
	Endorsed bool   `yaml:"endorsed" doc:"True when it has said that it means to take part."`
	CBPR     string `yaml:"cbpr" is:"enum=candidate,joined,agent_operational" doc:"How far it is with the controllers' certificate: on its way, taking part, or taking part with an agent at work. A candidate satisfies no rule."`
	PRP      string `yaml:"prp" is:"enum=candidate,joined,agent_operational" doc:"The same of the processors' certificate, which is apart."`
	Since    When   `yaml:"since" doc:"Since when it takes part, where the source says so."`
	AsOf     Date   `yaml:"as_of" is:"required" doc:"The day of which this is said."`
	Source   string `yaml:"source" doc:"The document that says so."`
	Note     string `yaml:"note" doc:"Anything that a reader should know."`
}

// Authority is a body that people or the organisation can turn to.
type Authority struct {
	ID      string   `yaml:"id" is:"required;id=authorities" doc:"Short name."`
	Name    string   `yaml:"name" is:"required" doc:"The name on pages."`
	Kind    string   `yaml:"kind" is:"required;enum=supervisory,privacy_enforcement,dispute_resolution,arbitration" doc:"What it is."`
	Country string   `yaml:"country" is:"required;country" doc:"Where it has its seat."`
	Over    []string `yaml:"over" is:"ref=entities" doc:"The entities that it supervises."`
	For     []string `yaml:"for" is:"ref=mechanisms" doc:"The mechanisms that it enforces or settles disputes of."`
	Schemes []string `yaml:"schemes" is:"ref=certifications" doc:"The certificates that it enforces or settles disputes of."`
	URL     string   `yaml:"url" is:"url" doc:"Where to reach it."`
	Free    bool     `yaml:"free" doc:"True when it costs people nothing."`
	Source  string   `yaml:"source" doc:"The document that names it."`
	Note    string   `yaml:"note" doc:"Anything that a reader should know."`
}

// LegalDocument is a document that the organisation publishes or points to.
type LegalDocument struct {
	ID         string     `yaml:"id" is:"required;id=documents" doc:"Short name."`
	Title      string     `yaml:"title" is:"required" doc:"The title on pages."`
	Type       string     `yaml:"type" is:"required;enum=notice,addendum,terms,policy,guidelines,appendix,annex,overview,report,security,privacy,gdpr,dpia,compliance,supplementary_measures,blog,law_enforcement,civil_requests,conduct,sector_code,tool,site,documentation" doc:"What it is."`
	URL        string     `yaml:"url" is:"url" doc:"Where it is. Left out where the source has a label alone."`
	Path       string     `yaml:"path" doc:"The address that it has, or had, in the privacy centre, from /privacy/."`
	Version    string     `yaml:"version" doc:"Its version, in words."`
	Effective  When       `yaml:"effective" doc:"Since when it holds."`
	Supersedes string     `yaml:"supersedes" is:"ref=documents" doc:"The version before it."`
	Retired    Date       `yaml:"retired" doc:"The day on which it was taken down."`
	Successor  string     `yaml:"successor" is:"ref=documents" doc:"What stands in its place. Who asks for a retired path is sent there."`
	PartOf     string     `yaml:"part_of" is:"ref=documents" doc:"The document that it is an appendix or annex of."`
	Of         []string   `yaml:"of" is:"ref=recipients" doc:"The recipients whose document it is."`
	Mechanisms []string   `yaml:"mechanisms" is:"ref=mechanisms" doc:"The mechanisms that it lays down, or that it is a security annex to."`
	Approvals  []Approval `yaml:"approvals" doc:"Who approved it, and when."`
	Adherence  string     `yaml:"adherence" doc:"Of a code: whether the organisation keeps it, and since when."`
	Checked    Date       `yaml:"checked" doc:"When somebody last looked whether the address leads there."`
	Check      Period     `yaml:"check" doc:"How often somebody has to: days, weeks, months or years."`
	Public     bool       `yaml:"public" doc:"True when anybody may read it."`
	Source     string     `yaml:"source" doc:"The document that names it."`
	Note       string     `yaml:"note" doc:"Anything that a reader should know."`
}

// Approval says that a document was approved.
type Approval struct {
	By string `yaml:"by" is:"required" doc:"Who approved it."`
	On When   `yaml:"on" is:"required" doc:"When."`
}

// Event is something in law that made the organisation judge transfers anew.
type Event struct {
	ID         string   `yaml:"id" is:"required;id=events" doc:"Short name."`
	Name       string   `yaml:"name" is:"required" doc:"The name on pages."`
	On         Date     `yaml:"on" is:"required" doc:"The day."`
	Cites      string   `yaml:"cites" doc:"Where it is found: a case number, a journal."`
	Mechanisms []string `yaml:"mechanisms" is:"ref=mechanisms" doc:"The mechanisms that had to be judged anew."`
	Recipients []string `yaml:"recipients" is:"ref=recipients" doc:"The transfers that were; all that rest on those mechanisms when left out."`
	ReassessBy Date     `yaml:"reassess_by" doc:"By when each has to be assessed anew."`
	Source     string   `yaml:"source" doc:"The document that says so."`
	Note       string   `yaml:"note" doc:"Anything that a reader should know."`
}

// Taking part.
const (
	Joined           = "joined"
	AgentOperational = "agent_operational"
)

// TakesPart says whether a status is more than a candidate's.
func TakesPart(status string) bool { return status == Joined || status == AgentOperational }

// Economy returns the economy of that country, or nil.
func (p *Programme) Economy(country string) *Economy {
	for i := range p.Economies {
		if p.Economies[i].Country == country {
			return &p.Economies[i]
		}
	}
	return nil
}

// AuthorityOver returns the supervisory and enforcement authorities of an entity: those that name it, else
// those of its seat's country.
func (p *Programme) AuthorityOver(entity string) (out []*Authority) {
	e := p.Entity(entity)
	for _, named := range []bool{true, false} {
		for i := range p.Authorities {
			a := &p.Authorities[i]
			if a.Kind != "supervisory" && a.Kind != "privacy_enforcement" {
				continue
			}
			over := false
			for _, id := range a.Over {
				over = over || id == entity
			}
			if named && over || !named && len(a.Over) == 0 && e != nil && a.Country == e.Country {
				out = append(out, a)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// sensitivities are the classes of categories, the least first.
var sensitivities = []string{"normal", "high", "special"}

// rank is the place of a sensitivity, normal for "".
func rank(sensitivity string) int {
	for i, s := range sensitivities {
		if s == sensitivity {
			return i
		}
	}
	return 0
}

// ControlsFor returns the controls for categories of that sensitivity, in the programme's order.
func (p *Programme) ControlsFor(sensitivity string) (out []*Control) {
	for i := range p.Controls {
		if c := &p.Controls[i]; rank(c.From) <= rank(sensitivity) {
			out = append(out, c)
		}
	}
	return out
}

// Status is how far a requirement is: its newest review's finding, else "covered" when something is done
// or shown for it, else "open".
func (r *Requirement) Status() string {
	switch {
	case len(r.Reviews) > 0:
		return r.Reviews[0].Finding
	case len(r.Controls)+len(r.Evidence) > 0:
		return "covered"
	}
	return "open"
}

// Document returns the document with that id, or nil.
func (p *Programme) Document(id string) *LegalDocument {
	for i := range p.Documents {
		if p.Documents[i].ID == id {
			return &p.Documents[i]
		}
	}
	return nil
}

// Control returns the control with that id, or nil.
func (p *Programme) Control(id string) *Control {
	for i := range p.Controls {
		if p.Controls[i].ID == id {
			return &p.Controls[i]
		}
	}
	return nil
}

// Principle returns the principle with that id, or nil.
func (p *Programme) Principle(id string) *Principle {
	for i := range p.Principles {
		if p.Principles[i].ID == id {
			return &p.Principles[i]
		}
	}
	return nil
}

// Concerns says whether the recipient's transfer had to be judged anew.
func (x *Event) Concerns(r *Recipient) bool {
	if len(x.Recipients) > 0 {
		return slices.Contains(x.Recipients, r.ID)
	}
	return slices.ContainsFunc(r.Mechanisms, func(m string) bool { return slices.Contains(x.Mechanisms, m) })
}
