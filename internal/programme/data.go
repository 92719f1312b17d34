package programme

// Category is a data category of the notice.
type Category struct {
	ID                     string   `yaml:"id" is:"required;id=categories" doc:"Short name; sealed parts carry it."`
	Name                   string   `yaml:"name" is:"required" doc:"The name on pages."`
	Source                 string   `yaml:"source" is:"required;ref=source_types" doc:"Where it comes from; one of the notice's source types."`
	GroupHeading           bool     `yaml:"group_heading" doc:"True when it only heads its children and no data has it itself."`
	Parent                 string   `yaml:"parent" is:"ref=categories" doc:"The group heading above it."`
	Children               []string `yaml:"children" is:"ref=categories" doc:"The categories under a group heading."`
	Elements               []string `yaml:"elements" is:"word" doc:"What is in it; an element may be the id of another category."`
	Sensitivity            string   `yaml:"sensitivity" is:"enum=normal,high,special" doc:"normal (default), high, or special for GDPR art. 9 data."`
	HumanResources         bool     `yaml:"human_resources" doc:"True for data about the group's own staff as employees, which some frameworks cover apart."`
	Fideslang              []string `yaml:"fideslang" is:"fideslang" doc:"Keys of the Fideslang taxonomy, 3.x."`
	Suppliers              []string `yaml:"suppliers" doc:"Who supplies it, where it comes from third parties."`
	Jurisdictions          []string `yaml:"jurisdictions" is:"jurisdiction" doc:"Where the category exists, if not everywhere."`
	Reason                 string   `yaml:"reason" doc:"Why it is collected."`
	Condition              string   `yaml:"condition" doc:"When it is collected."`
	Confidentiality        string   `yaml:"confidentiality" is:"enum=highest" doc:"A promise beyond the usual."`
	ExampleService         string   `yaml:"example_service" doc:"A service it is collected for."`
	StatusValues           []string `yaml:"status_values" doc:"The values that a status element can have."`
	Excludes               []string `yaml:"excludes" doc:"What is expressly not in it."`
	ExcludedKeys           []string `yaml:"excluded_keys" doc:"Names of members that no kind may map to it, by what is not in it."`
	NeverCollected         []string `yaml:"never_collected" doc:"What is never collected."`
	PreciseLocation        bool     `yaml:"precise_location" doc:"True for the one category, customer content, that exact places may be in; anywhere else they are dropped."`
	GeneralLocationContext []string `yaml:"general_location_context" doc:"Where a general location is derived."`
	ExerciseLink           bool     `yaml:"exercise_link" doc:"True when the notice links to the exercise of a right on it."`
	CombinedWithOtherData  bool     `yaml:"combined_with_other_data" doc:"True when it is combined with other data."`
	Note                   string   `yaml:"note" doc:"Anything that a reader should know."`
}

// Purpose is why data is processed.
type Purpose struct {
	ID                         string        `yaml:"id" is:"required;id=purposes" doc:"Short name; decisions carry it."`
	Name                       string        `yaml:"name" is:"required" doc:"The name on pages."`
	Statement                  string        `yaml:"statement" is:"required" doc:"What it is, in one sentence."`
	Examples                   []string      `yaml:"examples" doc:"What is done for it."`
	Categories                 []CategoryUse `yaml:"categories" is:"required" doc:"What may be used for it; a group heading stands for all of its children."`
	LegalBases                 []string      `yaml:"legal_bases" is:"required;enum=consent,contract,legal_obligation,vital_interests,public_task,legitimate_interest" doc:"GDPR art. 6(1)."`
	AutomatedDecisions         []string      `yaml:"automated_decisions" doc:"Decisions taken by machine alone (GDPR art. 22)."`
	AutomatedDecisionGuarantee string        `yaml:"automated_decision_guarantee" doc:"What people are promised about them."`
	ModelTraining              bool          `yaml:"model_training" doc:"True when models are trained on the data."`
}

// CategoryUse is a category, or some children of a group heading. A bare id is the whole of it.
type CategoryUse struct {
	ID   string   `yaml:"id" is:"required;scalar;ref=categories" doc:"The category."`
	Only []string `yaml:"only" is:"ref=categories" doc:"The only children of the group heading that are used."`
}

// Kind says how the records of one kind of one service split into categories.
type Kind struct {
	Service     string   `yaml:"service" is:"required;ref=services" doc:"The service."`
	Kind        string   `yaml:"kind" is:"required;word" doc:"The kind; the service lists it too."`
	ClientID    string   `yaml:"client_id" is:"path" doc:"Path of the client's own id in what an adapter receives. Native records carry it outside their data."`
	SubjectType string   `yaml:"subject_type" is:"identifier" doc:"Type of identifier that the bare name of a person in the protocol's own subject attribute has, as user_id; for CloudEvents, whose subject can be any thing. When left out, such a name is nobody's."`
	FieldSets   []string `yaml:"field_sets" is:"ref=field_sets" doc:"Shared mappings, later ones and own fields override."`
	Fields      []Field  `yaml:"fields" doc:"Own mappings. What nothing maps is unclassified and never leaves."`
}

// FieldSet is a list of mappings that several kinds share.
type FieldSet struct {
	ID     string  `yaml:"id" is:"required;id=field_sets" doc:"Short name."`
	Fields []Field `yaml:"fields" is:"required" doc:"The mappings."`
}

// Field maps a JSON path to a category and an owner.
type Field struct {
	Path     string `yaml:"path" is:"required;path" doc:"Dotted keys, * for any one key; it names the value and all below it. The most specific path wins."`
	Category string `yaml:"category" is:"required;ref=categories" doc:"The category of the value; not a group heading."`
	Owner    string `yaml:"owner" is:"enum=subject,sender,recipient,participant,writer,nobody" doc:"Whose part it goes into: a role, writer (the sender, else the recipients, else the subject) or nobody. Default subject."`
}

// Flow is a declared, running stream to a recipient.
type Flow struct {
	ID         string      `yaml:"id" is:"required;id=flows" doc:"Short name."`
	Name       string      `yaml:"name" doc:"The name on pages."`
	From       string      `yaml:"from" is:"required;ref=regions" doc:"The region that data leaves."`
	Services   []string    `yaml:"services" is:"required;ref=services" doc:"Whose records flow."`
	Kinds      []string    `yaml:"kinds" is:"word" doc:"Which kinds of those services; all when left out."`
	Categories []string    `yaml:"categories" is:"required;ref=categories" doc:"Which parts flow."`
	Purpose    string      `yaml:"purpose" is:"required;ref=purposes" doc:"Why."`
	To         string      `yaml:"to" is:"required;ref=recipients" doc:"The recipient, not a class of recipients."`
	LegalBasis string      `yaml:"legal_basis" is:"enum=consent,contract,legal_obligation,vital_interests,public_task,legitimate_interest" doc:"Which of the purpose's bases it rests on; may be left out when there is one."`
	Role       string      `yaml:"recipient_role" is:"enum=processor,independent_controller,joint_controller,conduit" doc:"In which of its roles the recipient gets the data; may be left out when it has one."`
	OptOuts    []string    `yaml:"opt_outs" is:"enum=marketing,cpni,targeted_advertising,sale_or_sharing" doc:"The opt-outs that stop it for a person. A Global Privacy Control signal is the last two."`
	MinimumTLS string      `yaml:"minimum_tls" is:"enum=1.2,1.3" doc:"The oldest version of TLS it is sent over; 1.2 when left out."`
	MinGroup   int         `yaml:"min_group" is:"min=2" doc:"Aggregated: the fewest people that a number may be about; 20 when left out."`
	Window     string      `yaml:"window" is:"enum=minute,hour,day" doc:"Aggregated: how long a window is, in UTC; day when left out. A minute is for trying: few groups are large enough in one."`
	Dimensions []Dimension `yaml:"dimensions" doc:"Aggregated: by what the counts of a kind are split, beside the sum."`
	Times      string      `yaml:"times" is:"enum=hour,day" doc:"Pseudonymised: how far the times of a record itself are cut; to the millisecond when left out."`
	Form       string      `yaml:"form" is:"required;enum=clear,pseudonymised,aggregated" doc:"The most that is asked for; less may be allowed, never more."`
	AtLeast    string      `yaml:"at_least" is:"enum=clear,pseudonymised,aggregated" doc:"The least that is of use; where only less is allowed, the flow halts. aggregated when left out."`
	Mechanisms []string    `yaml:"mechanisms" is:"ref=mechanisms" doc:"The order to try for this flow; the programme's when left out."`
	Note       string      `yaml:"note" doc:"Anything that a reader should know."`
}

// mergeFields joins lists of fields; a later one overrides an earlier one at the same path. The
// order is that of first mention.
func mergeFields(lists ...[]Field) []Field {
	var out []Field
	at := map[string]int{}
	for _, list := range lists {
		for _, f := range list {
			if i, ok := at[f.Path]; ok {
				out[i] = f
				continue
			}
			at[f.Path] = len(out)
			out = append(out, f)
		}
	}
	return out
}
