package programme

// Retention says how long records and their parts are kept.
type Retention struct {
	Rule         string               `yaml:"rule" doc:"The promise, in words."`
	GovernedBy   string               `yaml:"governed_by" doc:"The policies behind it."`
	Exceptions   []RetentionException `yaml:"exceptions" doc:"What the notice says of single categories."`
	AfterClosure []string             `yaml:"after_closure" doc:"What remains when an account is closed."`
	Classes      []RetentionClass     `yaml:"classes" doc:"How long the store keeps what; the most specific class wins. What no class names is kept until it is erased."`
}

// RetentionException is what the notice says of one category.
type RetentionException struct {
	Category          string   `yaml:"category" is:"required;ref=categories" doc:"The category."`
	Keep              string   `yaml:"keep" is:"required" doc:"How long, in words."`
	DeletionSubjectTo string   `yaml:"deletion_subject_to" doc:"What may stand against a deletion."`
	DeleteUnless      []string `yaml:"delete_on_request_unless" doc:"What stands against deleting it on request."`
}

// RetentionClass is a duration for what its selectors name. Left out, a selector is any.
type RetentionClass struct {
	Service  string `yaml:"service" is:"ref=services" doc:"The service; any when left out."`
	Kind     string `yaml:"kind" is:"word" doc:"The kind, of that service; any when left out."`
	Category string `yaml:"category" is:"ref=categories,unclassified" doc:"The category, a group heading for all of its children, or unclassified; any when left out."`
	Keep     Period `yaml:"keep" is:"required" doc:"Days, weeks, months of 30 or years of 365 days; or unlimited."`
	Reason   string `yaml:"reason" doc:"Where the duration comes from."`
}

// Rights is what people may ask for.
type Rights struct {
	Groups            []RightsGroup    `yaml:"groups" doc:"The rights as the notice groups them."`
	Deadlines         []Deadline       `yaml:"deadlines" doc:"By when an answer is due, by law."`
	Verification      Verification     `yaml:"verification" doc:"How a person proves who they are."`
	AuthorizedAgents  AuthorizedAgents `yaml:"authorized_agents" doc:"Who may ask for another."`
	Limitations       Limitations      `yaml:"limitations" doc:"What may stand against a request."`
	SelfService       *SelfService     `yaml:"self_service" doc:"What a person can do alone."`
	OptOuts           []OptOut         `yaml:"choices" doc:"Choices that a law gives about one category, in detail."`
	ProcessorRequests string           `yaml:"processor_requests" doc:"What happens to requests about customers' data."`
}

// SelfService is what a person can do without asking.
type SelfService struct {
	Where   string   `yaml:"where" is:"required" doc:"Where."`
	Cost    string   `yaml:"cost" doc:"What it costs."`
	Actions []string `yaml:"actions" is:"required" doc:"What can be done there."`
	Others  []string `yaml:"others" doc:"Other places."`
	Default string   `yaml:"default_channel" doc:"Where to ask for all else."`
}

// OptOut is a choice that a law gives about one category.
type OptOut struct {
	ID            string   `yaml:"id" is:"required;id" doc:"Short name."`
	Name          string   `yaml:"name" is:"required" doc:"The name."`
	Category      string   `yaml:"category" is:"ref=categories" doc:"The category that it is about."`
	Who           []string `yaml:"who" is:"required" doc:"Who may choose."`
	Mechanism     string   `yaml:"mechanism" is:"required" doc:"How."`
	Scope         string   `yaml:"scope" doc:"What it holds for."`
	DoesNotAffect []string `yaml:"does_not_affect" doc:"What stays as it is."`
	ValidUntil    string   `yaml:"valid_until" doc:"How long it holds."`
}

// RightsGroup is a group of rights with the channels to exercise them.
type RightsGroup struct {
	Group            string         `yaml:"group" is:"required;id" doc:"Short name."`
	Items            []Right        `yaml:"items" is:"required" doc:"The rights."`
	Channels         []string       `yaml:"channels" doc:"Where to ask."`
	Warning          string         `yaml:"warning" doc:"What a person should know first."`
	Deadline         *PromiseOfDays `yaml:"deadline" doc:"A promise stricter than the law."`
	Continues        *StillSent     `yaml:"continues" doc:"What goes on in spite of an opt-out."`
	CurrentDecisions []string       `yaml:"current_decisions" doc:"Decisions that are taken by machine today."`
}

// Right is one right.
type Right struct {
	ID    string `yaml:"id" is:"required;id=rights" doc:"Short name; cases carry it."`
	Text  string `yaml:"text" doc:"What it is."`
	Scope string `yaml:"scope" doc:"What it applies to."`
}

// PromiseOfDays is a deadline that the notice promises.
type PromiseOfDays struct {
	MaxDays   int    `yaml:"max_days" is:"required;min=1" doc:"Calendar days at most."`
	AppliesTo string `yaml:"applies_to" is:"required;ref=rights" doc:"The right it holds for."`
}

// StillSent says which messages go on after an opt-out.
type StillSent struct {
	Messages []string `yaml:"messages" is:"required" doc:"Which messages."`
	Until    string   `yaml:"until" is:"required" doc:"Until when."`
}

// Deadline is a legal clock. Its source says where the number comes from.
type Deadline struct {
	Law          string   `yaml:"law" is:"required" doc:"The law and article."`
	Jurisdiction string   `yaml:"jurisdiction" is:"jurisdiction" doc:"Where it holds; everywhere else when left out."`
	Rights       []string `yaml:"rights" is:"ref=rights" doc:"The rights it holds for; all when left out."`
	Acknowledge  Period   `yaml:"acknowledge" doc:"By when receipt is confirmed."`
	Answer       Period   `yaml:"answer" is:"required" doc:"By when the answer is due, from receipt."`
	Extension    Period   `yaml:"extension" doc:"By how much it may be extended, with reasons."`
	StopsClock   bool     `yaml:"stops_clock" doc:"True when the clock stops while the person is asked for something."`
	InForce      Date     `yaml:"in_force" doc:"Since when."`
}

// Verification is how a person proves who they are.
type Verification struct {
	When     string   `yaml:"when" is:"required" doc:"For which requests."`
	Evidence []string `yaml:"evidence" is:"required" doc:"What counts."`
	Then     string   `yaml:"then" doc:"What happens after."`
}

// AuthorizedAgents says who may ask for another.
type AuthorizedAgents struct {
	Allowed  bool     `yaml:"allowed" is:"required" doc:"Whether anybody may."`
	Evidence []string `yaml:"evidence" doc:"What proves the mandate."`
	Channel  string   `yaml:"channel" doc:"Where they ask."`
}

// Limitations say what may stand against a request.
type Limitations struct {
	Grounds           []string `yaml:"grounds" is:"required" doc:"Grounds to refuse."`
	Reference         string   `yaml:"reference" doc:"Where they are laid down."`
	NonDiscrimination bool     `yaml:"non_discrimination" doc:"Nobody is treated worse for asking."`
	PriceUnchanged    bool     `yaml:"price_unchanged" doc:"Nor charged more."`
	Consequence       string   `yaml:"consequence" doc:"What a person should know first."`
}
