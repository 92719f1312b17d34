package programme

// Notice is the text of the privacy notice around the tables, which are rendered from the rest.
type Notice struct {
	ID                     string             `yaml:"id" is:"required;id" doc:"Short name of this version."`
	Title                  string             `yaml:"title" is:"required" doc:"The title."`
	Language               string             `yaml:"language" is:"required;language" doc:"ISO 639 code."`
	LastUpdated            Date               `yaml:"last_updated" is:"required" doc:"The date at its top."`
	Supersedes             string             `yaml:"supersedes" is:"word" doc:"The version before."`
	PriorVersionLinked     bool               `yaml:"prior_version_linked" doc:"True when the page links to the version before."`
	CanonicalURL           string             `yaml:"canonical_url" is:"url" doc:"Where it is published."`
	PersonalDataDefinition string             `yaml:"personal_data_definition" doc:"What personal data is."`
	DataSubjectTypes       []DataSubjectType  `yaml:"data_subject_types" doc:"Whom it is about."`
	Relationships          Relationships      `yaml:"relationships" doc:"How people come to be known."`
	Roles                  NoticeRoles        `yaml:"roles" doc:"When the organisation is controller and when processor."`
	Exclusions             []Text             `yaml:"exclusions" doc:"What it doesn't cover."`
	LookbackMonths         int                `yaml:"lookback_months" is:"min=1" doc:"How far back the tables look."`
	SourceTypes            []SourceType       `yaml:"source_types" is:"required" doc:"Where data comes from; each is one table of categories."`
	LegalBases             []string           `yaml:"legal_bases" is:"enum=consent,contract,legal_obligation,vital_interests,public_task,legitimate_interest" doc:"The bases that the notice explains."`
	MinimisationPromise    string             `yaml:"minimisation_promise" doc:"What is promised about how much is used."`
	SaleOfData             *SaleOfData        `yaml:"sale_of_data" doc:"Whether data is sold."`
	DisclosureTriggers     []string           `yaml:"disclosure_triggers" doc:"Why data is disclosed at all."`
	DeidentifiedData       DeidentifiedData   `yaml:"deidentified_data" doc:"What is done with data that identifies nobody."`
	USSupplement           USSupplement       `yaml:"us_supplemental_disclosure" doc:"What US state laws add."`
	Transfers              Transfers          `yaml:"transfers" doc:"Text on transfers, beside the mechanisms."`
	Security               Security           `yaml:"security" doc:"Text on security."`
	DataManagementTools    []string           `yaml:"data_management_tools" doc:"What customers can do by themselves."`
	DataManagementDepends  []string           `yaml:"data_management_depends_on" doc:"What that depends on."`
	Documentation          []string           `yaml:"documentation" doc:"The documentation of the services."`
	DocumentationHub       string             `yaml:"documentation_hub" doc:"Where it is described."`
	Children               Children           `yaml:"children" doc:"Text on children."`
	Cookies                Cookies            `yaml:"cookies" doc:"Text on cookies."`
	AutomatedDecisions     AutomatedDecisions `yaml:"automated_decision_making" doc:"Where automated decisions are described."`
	ServiceNotices         []ServiceNotice    `yaml:"service_notices" doc:"What single services add."`
	Complaints             Complaints         `yaml:"complaints" doc:"Text on complaints."`
	Changes                Changes            `yaml:"changes" doc:"How changes are announced."`
	Quirks                 []string           `yaml:"quirks" doc:"Oddities of the source that must not be smoothed over."`
	ChangesFromPrior       *ChangesFromPrior  `yaml:"changes_from_prior" doc:"What changed against the version before."`
	SubProcessorPage       *SubProcessorPage  `yaml:"sub_processor_page" doc:"The text of the sub-processor page around its table."`
}

// Text is a sentence with a short name.
type Text struct {
	ID   string `yaml:"id" is:"required;id" doc:"Short name."`
	Text string `yaml:"text" is:"required" doc:"The sentence."`
}

// DataSubjectType is a group of people.
type DataSubjectType struct {
	ID         string `yaml:"id" is:"required;id" doc:"Short name."`
	Definition string `yaml:"definition" doc:"Who they are."`
	Example    string `yaml:"example" doc:"One of them."`
}

// Relationships are how people come to be known to the organisation.
type Relationships struct {
	Direct   []string `yaml:"direct" doc:"By what they do themselves."`
	Indirect []string `yaml:"indirect" doc:"Through somebody else."`
}

// NoticeRoles says when the organisation is controller and when processor.
type NoticeRoles struct {
	Controller NoticeRole `yaml:"controller" is:"required" doc:"When it decides."`
	Processor  NoticeRole `yaml:"processor" is:"required" doc:"When customers decide."`
}

// NoticeRole is one of the two roles.
type NoticeRole struct {
	When               string   `yaml:"when" is:"required" doc:"When it has the role."`
	ThisNoticeApplies  bool     `yaml:"this_notice_applies" is:"required" doc:"Whether the notice applies then."`
	InstructionSources []string `yaml:"instruction_sources" doc:"Where customers' instructions come from."`
	AlsoFor            string   `yaml:"also_for" doc:"What else it has the role for."`
	Requests           string   `yaml:"requests" doc:"Where requests go then."`
}

// SourceType is where data comes from.
type SourceType struct {
	ID        string   `yaml:"id" is:"required;id=source_types" doc:"Short name."`
	Table     int      `yaml:"table" is:"min=1" doc:"The number of its table."`
	Label     string   `yaml:"label" is:"required" doc:"The heading of its table."`
	Context   string   `yaml:"context" doc:"When it happens."`
	Suppliers []string `yaml:"suppliers" doc:"Who supplies it."`
}

// SaleOfData says whether data is sold.
type SaleOfData struct {
	Sold bool `yaml:"sold_to_third_parties" is:"required" doc:"Whether it is."`
}

// DeidentifiedData is what is done with data that identifies nobody.
type DeidentifiedData struct {
	States   []string `yaml:"states" is:"required" doc:"What counts as such."`
	Use      string   `yaml:"use" is:"required" doc:"What it may be used for."`
	Promises []string `yaml:"promises" doc:"What is promised about it."`
}

// USSupplement is what US state laws add.
type USSupplement struct {
	Audience    string   `yaml:"audience" is:"required" doc:"Whom it is for."`
	Categories  []string `yaml:"categories_disclosed_for_business_purposes" is:"required" doc:"The statutory categories."`
	TargetedAds string   `yaml:"targeted_ads" doc:"What may count as sharing or targeted advertising, and how to opt out."`
}

// Transfers is the text on transfers, beside the mechanisms.
type Transfers struct {
	PrimaryProcessingCountry string   `yaml:"primary_processing_country" is:"country" doc:"Where most processing happens."`
	InternalAndExternal      bool     `yaml:"internal_and_external" doc:"True when it covers transfers within and beyond the group."`
	Customers                string   `yaml:"customers" doc:"What governs customers' transfers."`
	Recipients               []string `yaml:"recipients" doc:"Who receives data abroad."`
	Notes                    []Text   `yaml:"notes" doc:"What is said of single countries."`
}

// Security is the text on security.
type Security struct {
	Against              []string `yaml:"against" is:"required" doc:"What it guards against."`
	Scope                []string `yaml:"scope" doc:"Where."`
	ProportionalTo       []string `yaml:"proportional_to" doc:"What it is measured by."`
	Standards            []string `yaml:"standards" doc:"The standards it follows."`
	GovernedBy           string   `yaml:"governed_by" doc:"The policies behind it."`
	More                 string   `yaml:"more" doc:"Where more is said."`
	SupplementalMeasures string   `yaml:"supplemental_measures" doc:"Where supplementary measures are described, and for whom."`
}

// Children is the text on children.
type Children struct {
	Directed      bool           `yaml:"directed_to_children" is:"required" doc:"Whether the services are meant for children."`
	Knowingly     *bool          `yaml:"knowingly_permitted" doc:"Whether children are knowingly let use the services."`
	AgeThresholds map[string]int `yaml:"age_thresholds" is:"keys=jurisdiction" doc:"Below which age one is a child, by jurisdiction."`
	OnDiscovery   string         `yaml:"on_discovery" doc:"What happens when a child's data is found."`
	ReportTo      string         `yaml:"report_to" doc:"Where to report it."`
	SubjectLine   string         `yaml:"subject_line" doc:"The subject of such a mail."`
}

// AutomatedDecisions says where automated decisions are described.
type AutomatedDecisions struct {
	LocatedIn   []string `yaml:"located_in" is:"required" doc:"The places."`
	Definition  string   `yaml:"definition" doc:"What such a decision is."`
	Uses        []string `yaml:"uses" doc:"What is decided."`
	Signals     []string `yaml:"signals" doc:"Whose data the decisions go by."`
	Guarantee   string   `yaml:"guarantee" doc:"What people are promised."`
	AllowedWhen []string `yaml:"other_allowed_when" doc:"When other such decisions may be taken."`
}

// Cookies is the text on cookies.
type Cookies struct {
	Tools            []string         `yaml:"tools" is:"required" doc:"What counts as one."`
	USStateLabel     []string         `yaml:"us_state_label" doc:"What US state laws call their use."`
	Lifetimes        []string         `yaml:"lifetimes" doc:"How long they last."`
	Categories       []CookieCategory `yaml:"categories" doc:"What they are for."`
	FirstVisitBanner bool             `yaml:"first_visit_banner" doc:"True when a first visit shows a banner."`
	WebBeacons       WebBeacons       `yaml:"web_beacons" doc:"What is counted in mail."`
	Controls         []CookieControl  `yaml:"controls" doc:"How to decline them."`
}

// CookieCategory is what some cookies are for.
type CookieCategory struct {
	ID     string   `yaml:"id" is:"required;id" doc:"Short name."`
	OptOut bool     `yaml:"opt_out" is:"required" doc:"Whether they can be declined."`
	Uses   []string `yaml:"uses" doc:"What they do."`
	Effect string   `yaml:"effect" doc:"What declining does."`
}

// WebBeacons is what is counted in mail.
type WebBeacons struct {
	Form    string   `yaml:"form" is:"required" doc:"What they are."`
	In      string   `yaml:"in" doc:"Where they are."`
	Records []string `yaml:"records" doc:"What they record."`
}

// CookieControl is a way to decline cookies.
type CookieControl struct {
	ID         string   `yaml:"id" is:"required;id" doc:"Short name."`
	Where      string   `yaml:"where" doc:"Where it is found."`
	Scope      string   `yaml:"scope" doc:"What it holds for."`
	ResetWhen  string   `yaml:"reset_when" doc:"When it is forgotten."`
	Categories []string `yaml:"categories" doc:"Which cookies it declines."`
	Signals    []string `yaml:"signals" doc:"Which browser signals it honours."`
	Tools      []string `yaml:"tools" doc:"Tools of the industry."`
}

// ServiceNotice is what one service adds.
type ServiceNotice struct {
	ID         string        `yaml:"id" is:"required;id" doc:"Short name."`
	Name       string        `yaml:"name" is:"required" doc:"The service."`
	Previously string        `yaml:"previously" doc:"An earlier name."`
	What       string        `yaml:"what" is:"required" doc:"What it is."`
	Role       string        `yaml:"role" doc:"The organisation's role, where it is special."`
	Data       []ServiceData `yaml:"data" is:"required" doc:"What it collects."`
	Terms      string        `yaml:"terms" doc:"The terms that apply."`
}

// ServiceData is one kind of data that a service collects.
type ServiceData struct {
	ID        string   `yaml:"id" is:"required;id" doc:"Short name."`
	Elements  []string `yaml:"elements" is:"required" doc:"What is in it."`
	Uses      []string `yaml:"uses" doc:"What it is for."`
	Condition string   `yaml:"condition" doc:"When it is collected."`
}

// Complaints is the text on complaints.
type Complaints struct {
	Procedure      string       `yaml:"procedure" is:"required" doc:"The procedure."`
	FirstChannel   []string     `yaml:"first_channel" doc:"Where to complain first."`
	OthersAccepted bool         `yaml:"other_channels_accepted" doc:"True when complaints by other ways count too."`
	Escalation     []Escalation `yaml:"escalation" doc:"Whom to turn to next."`
	AboutCustomers string       `yaml:"about_customers" doc:"What happens to complaints about customers."`
}

// Escalation is somebody to turn to next.
type Escalation struct {
	ID       string `yaml:"id" is:"required;id" doc:"Short name."`
	Provider string `yaml:"provider" is:"required" doc:"Who."`
	URL      string `yaml:"url" is:"url" doc:"Where."`
	Cost     string `yaml:"cost" doc:"What it costs."`
	Scope    string `yaml:"scope" doc:"What for."`
	Further  string `yaml:"further" doc:"What comes after."`
	Trigger  string `yaml:"trigger" doc:"When one may turn to them."`
}

// Changes says how changes are announced.
type Changes struct {
	Reasons           []string          `yaml:"reasons" is:"required" doc:"Why the notice changes."`
	SignificantChange SignificantChange `yaml:"significant_change" doc:"What happens when it matters."`
	PublishedWith     string            `yaml:"published_with" doc:"How a version is marked."`
}

// SignificantChange says what happens when a change matters.
type SignificantChange struct {
	AdvanceNoticeVia []string `yaml:"advance_notice_via" is:"required" doc:"How people are told before."`
	AdvanceNotice    Period   `yaml:"advance_notice" doc:"How long before it takes effect a material change is published: days, weeks, months or years. 30 days when left out."`
	Consent          string   `yaml:"consent" doc:"When they are asked."`
}

// ChangesFromPrior is what changed against the version before.
type ChangesFromPrior struct {
	CategoryMap     map[string][]string `yaml:"category_map" is:"ref=categories" doc:"Old category to new ones."`
	PurposeMap      map[string][]string `yaml:"purpose_map" is:"ref=purposes" doc:"Old purpose to new ones."`
	RecipientMap    map[string][]string `yaml:"recipient_map" is:"ref=recipients" doc:"Old class of recipients to new ones."`
	RightMap        map[string][]string `yaml:"right_map" is:"ref=rights" doc:"Old right to new ones."`
	CategoryNew     []string            `yaml:"category_new" doc:"What is new in the categories."`
	PurposesCount   BeforeAfter         `yaml:"purposes_count" doc:"How many purposes there were and are."`
	Candidates      []string            `yaml:"candidates_for_material_change" doc:"What may need notice or consent."`
	ContactChange   string              `yaml:"contact_change" doc:"What changed in the contacts."`
	RenamedServices map[string]string   `yaml:"renamed_services" doc:"Old name to new name."`
}

// BeforeAfter is a number before and after.
type BeforeAfter struct {
	Before int `yaml:"before" is:"required" doc:"Before."`
	After  int `yaml:"after" is:"required" doc:"After."`
}

// SubProcessorPage is the text of the sub-processor page around its table.
type SubProcessorPage struct {
	LastUpdated            Date                `yaml:"last_updated" is:"required" doc:"The date at its top."`
	NoticePeriod           Period              `yaml:"notice_period" doc:"How long customers may object to a new sub-processor before it gets data: days, weeks or months."`
	Review                 Period              `yaml:"review" doc:"How often somebody has to look whether the list is still right: days, weeks, months or years."`
	Commitments            []Text              `yaml:"commitments" doc:"What the page promises."`
	Footnotes              map[string]string   `yaml:"footnotes" is:"ids=footnotes" doc:"Footnotes, by short name."`
	RegionalProductRegions []string            `yaml:"regional_product_regions" is:"country" doc:"Countries that a regional product can be had in."`
	LinkSets               map[string][]string `yaml:"link_sets" is:"ids=link_sets" doc:"Links that several rows share."`
	DerivedChecks          []Text              `yaml:"derived_checks" doc:"What must hold of the rows taken together."`
	Navigation             []string            `yaml:"navigation" doc:"The other pages that it links to."`
}
