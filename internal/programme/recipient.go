package programme

// Recipient is anyone who gets data. Without a class it is one of the classes that the notice
// names; with one it is a member of that class, such as one row of the sub-processor list.
type Recipient struct {
	ID         string          `yaml:"id" is:"required;id=recipients" doc:"Short name; flows and decisions carry it."`
	Name       string          `yaml:"name" is:"required" doc:"The name on pages."`
	Class      string          `yaml:"class" is:"ref=recipients" doc:"The class of the notice it belongs to; left out for a class itself."`
	Who        []string        `yaml:"who" doc:"Who is in the class."`
	Roles      []RecipientRole `yaml:"roles" doc:"The recipient's role, and for what."`
	Reasons    []string        `yaml:"reasons" doc:"Why they get data."`
	Categories []string        `yaml:"categories" is:"ref=categories" doc:"What they get, where the notice says so."`
	Safeguards []string        `yaml:"safeguards" doc:"What binds them."`
	Trigger    string          `yaml:"trigger" doc:"What must happen first."`
	Constraint string          `yaml:"constraint" doc:"What limits their use."`
	Notify     string          `yaml:"notify" doc:"When the person is told."`
	ObjectIf   string          `yaml:"object_if" doc:"When the organisation objects to a demand."`
	Note       string          `yaml:"note" doc:"Anything that a reader should know."`
	Quirk      string          `yaml:"quirk" doc:"An oddity of the source that must not be smoothed over."`

	LegalEntity  string        `yaml:"legal_entity" doc:"The registered name of the one who contracts, as directories and contracts have it; the name when left out."`
	Country      string        `yaml:"country" is:"country" doc:"The seat of that entity."`
	RemoteAccess []string      `yaml:"remote_access" is:"country" doc:"Where its people see the data from, beside where it processes. It counts as a destination."`
	Onward       []string      `yaml:"onward" is:"ref=recipients" doc:"Its own sub-processors. Where they are counts as a destination."`
	Enabled      bool          `yaml:"customer_enabled" doc:"True when it gets data only where the customer enabled it."`
	Entity       string        `yaml:"entity" is:"ref=entities" doc:"The group entity it is, where it is one."`
	Locations    []Location    `yaml:"locations" doc:"Where it processes."`
	Mechanisms   []string      `yaml:"mechanisms" is:"ref=mechanisms" doc:"The mechanisms that transfers to it may rest on, in order."`
	TIA          TIA           `yaml:"tia" doc:"The transfer impact assessment."`
	Announced    Date          `yaml:"announced" doc:"When customers were told of it; the notice period runs from here."`
	SubProcessor *SubProcessor `yaml:"sub_processor" doc:"The columns of the sub-processor list."`
}

// RecipientRole is a role under the GDPR, for all data or for some.
type RecipientRole struct {
	Role string `yaml:"role" is:"required;scalar;enum=processor,independent_controller,joint_controller,conduit" doc:"The role."`
	For  string `yaml:"for" doc:"The data it has the role for; all when left out."`
}

// Location is a country, or an area that is none and that no residency rule may take for one.
type Location struct {
	Country string `yaml:"country" is:"scalar;country" doc:"ISO 3166-1 alpha-2 code."`
	Area    string `yaml:"area" doc:"An area as the source prints it, such as North America."`
	Label   string `yaml:"label" doc:"What the source prints beside the country."`
	Role    string `yaml:"role" doc:"What happens there."`
}

// EntityName returns the registered name of the entity that r is.
func (p *Programme) EntityName(r *Recipient) string {
	switch e := p.Entity(r.Entity); {
	case e != nil:
		return e.Name
	case r.LegalEntity != "":
		return r.LegalEntity
	}
	return r.Name
}

// RolesOf returns the roles of r, those of its class when it says none.
func (p *Programme) RolesOf(r *Recipient) []RecipientRole {
	if class := p.Recipient(r.Class); len(r.Roles) == 0 && class != nil {
		return class.Roles
	}
	return r.Roles
}

// NeedsEnabling says whether the customer must have enabled r, its class or its row of the list.
func (p *Programme) NeedsEnabling(r *Recipient) bool {
	class := p.Recipient(r.Class)
	return r.Enabled || class != nil && class.Enabled || r.SubProcessor != nil && r.SubProcessor.CustomerEnabled
}

// TIA is the state of a transfer impact assessment.
type TIA struct {
	Stated   bool   `yaml:"stated" is:"required" doc:"Whether the source says that one was done."`
	Assessed Date   `yaml:"assessed" doc:"When it was last done."`
	Due      Date   `yaml:"due" doc:"When it is due again."`
	Document string `yaml:"document" doc:"Where it is kept."`
}

// SubProcessor holds the columns of the sub-processor list, beside a recipient's own.
type SubProcessor struct {
	Services         []string   `yaml:"services" is:"required;ref=services,all" doc:"The services it is engaged for; all means every one."`
	ServicesPrinted  []string   `yaml:"services_printed" doc:"The services as the source prints them."`
	SubjectMatter    string     `yaml:"subject_matter" is:"required" doc:"What personal data it sees."`
	Nature           string     `yaml:"nature" is:"required" doc:"Nature and purpose of the processing."`
	Tools            []string   `yaml:"tools" doc:"The named tools it is engaged through."`
	RegionSelectable string     `yaml:"region_selectable" is:"required;enum=none,customer_choice,regional_product" doc:"Who chooses the region: nobody, the customer, or the regional product."`
	Footnotes        []string   `yaml:"footnotes" is:"ref=footnotes" doc:"Footnotes of the page that the row carries."`
	Links            []string   `yaml:"links" doc:"What the source links to: a label or an address."`
	LinkSet          string     `yaml:"link_set" is:"ref=link_sets" doc:"A set of links of the page."`
	AI               bool       `yaml:"ai" doc:"True when it processes by artificial intelligence."`
	CustomerEnabled  bool       `yaml:"customer_enabled" doc:"True when it gets data only where the customer enabled the feature."`
	GroupCompany     bool       `yaml:"group_company" is:"required" doc:"Whether it is a company of the group."`
	ParentCompany    string     `yaml:"parent_company" doc:"The company it belongs to."`
	Section          string     `yaml:"section" is:"required;enum=third_party,group" doc:"The table that the source prints it in."`
	Condition        *Condition `yaml:"condition" doc:"When the row applies at all."`
	Interpretation   string     `yaml:"interpretation" doc:"Where the layout of the source had to be reconstructed."`
}

// Condition says when something applies.
type Condition struct {
	When    string `yaml:"when" is:"required" doc:"The condition."`
	Then    string `yaml:"then" is:"required" doc:"What holds then."`
	Example string `yaml:"example" doc:"A case of it."`
}

// Mechanism is what makes a cross-border transfer lawful.
type Mechanism struct {
	ID           string   `yaml:"id" is:"required;id=mechanisms" doc:"Short name; decisions carry it."`
	Name         string   `yaml:"name" is:"required" doc:"The name on pages."`
	Kind         string   `yaml:"kind" is:"required;enum=adequacy,dpf,bcr,scc,idta,br_scc,cbpr_prp,contract,derogation" doc:"What it is in law; contract is one for comparable protection, where a law asks for no more."`
	Scheme       string   `yaml:"scheme" is:"enum=bcr-c,bcr-p" doc:"For bcr: rules for the group's own data (bcr-c) or for what it was entrusted with (bcr-p)."`
	Origins      []string `yaml:"origins" is:"required;jurisdiction" doc:"Whose law it satisfies: countries, EU or EEA."`
	Destinations []string `yaml:"destinations" is:"jurisdiction" doc:"Where to; anywhere when left out."`
	Coverage     string   `yaml:"coverage" doc:"Whom or what it covers, in words."`
	Rank         string   `yaml:"rank" doc:"Primary, or fallback and for what."`
	ApprovedBy   string   `yaml:"approved_by" doc:"Who approved it."`
	Holders      []string `yaml:"holders" is:"ref=entities" doc:"The entities that hold or signed it."`
	ValidFrom    Date     `yaml:"valid_from" doc:"First day of validity."`
	ValidUntil   Date     `yaml:"valid_until" doc:"Last day of validity."`
	RequiresTIA  bool     `yaml:"requires_tia" doc:"True when it needs a transfer impact assessment."`
	Note         string   `yaml:"note" doc:"Anything that a reader should know."`
}

// Certification is a certificate that the organisation says it holds.
type Certification struct {
	ID             string   `yaml:"id" is:"required;id=certifications" doc:"Short name."`
	Name           string   `yaml:"name" is:"required" doc:"The name on pages."`
	Role           string   `yaml:"role" is:"enum=controller,processor" doc:"The role it certifies, where it has one."`
	Holders        []string `yaml:"holders" is:"ref=entities" doc:"Which entities are in scope."`
	Scope          string   `yaml:"scope" doc:"What is in scope, in words."`
	Covers         string   `yaml:"covers" is:"enum=all_entities" doc:"all_entities when every entity has to be a holder, so that a new one starts a review of the scope."`
	Services       []string `yaml:"services" is:"ref=services" doc:"The services that it is about, where it isn't all of them."`
	Agent          string   `yaml:"agent" doc:"Who certified it."`
	AgentEconomy   string   `yaml:"agent_economy" is:"country" doc:"The economy that recognised the agent; it is that of the organisation's seat."`
	PeriodFrom     Date     `yaml:"period_from" doc:"Of an attestation: the first day of the period that it is about."`
	PeriodUntil    Date     `yaml:"period_until" doc:"And the last."`
	Evidence       []string `yaml:"evidence" is:"ref=documents" doc:"Documents that show it: the certificate, a report."`
	FirstCertified When     `yaml:"first_certified" doc:"Since when."`
	Renewal        Period   `yaml:"renewal" doc:"How often it is renewed."`
	ValidUntil     Date     `yaml:"valid_until" doc:"Last day of validity, where known."`
	Authority      string   `yaml:"authority" doc:"Who enforces it in the end."`
	Directory      string   `yaml:"directory" is:"url" doc:"The public list to check."`
	Source         string   `yaml:"source" doc:"The document that says so."`
	Note           string   `yaml:"note" doc:"Anything that a reader should know."`
}
