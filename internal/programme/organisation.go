package programme

// Organisation is the publisher.
type Organisation struct {
	ID            string   `yaml:"id" is:"required;id" doc:"Short name, used in file names and feeds."`
	Name          string   `yaml:"name" is:"required" doc:"The name on every page."`
	Group         string   `yaml:"group" doc:"How the notice names the group as a whole."`
	LeadEntity    string   `yaml:"lead_entity" is:"required;ref=entities" doc:"The entity that answers for the programme."`
	CodeOfConduct string   `yaml:"code_of_conduct" doc:"The code that the group has bound itself to."`
	Statement     string   `yaml:"statement" doc:"A sentence that every rendered page carries."`
	Website       string   `yaml:"website" is:"url" doc:"The public site."`
	Contacts      Contacts `yaml:"contacts" is:"required" doc:"Where people reach the privacy team."`
	Sources       []Source `yaml:"sources" doc:"The documents that this programme was transcribed from."`
}

// Contacts are where people reach the organisation.
type Contacts struct {
	DPOEmail          string  `yaml:"dpo_email" is:"required;email" doc:"The data protection officer."`
	PrivacyEmail      string  `yaml:"privacy_email" is:"email" doc:"The privacy team; the officer's when it is left out."`
	SupportURL        string  `yaml:"support_url" is:"url" doc:"Customer support."`
	WorldHeadquarters Address `yaml:"world_headquarters" doc:"Postal address of the headquarters."`
	EEAHeadquarters   Address `yaml:"eea_headquarters" doc:"Postal address within the EEA."`
}

// Address is a postal address of an entity.
type Address struct {
	Entity  string `yaml:"entity" is:"required;ref=entities" doc:"Whose address it is."`
	Address string `yaml:"address" is:"required" doc:"The address on one line."`
}

// Source is a document that facts were taken from.
type Source struct {
	ID     string `yaml:"id" is:"required;id" doc:"How the programme refers to the document."`
	Title  string `yaml:"title" is:"required" doc:"What it is."`
	Dated  Date   `yaml:"dated" doc:"The date it carries."`
	Schema string `yaml:"schema" doc:"The format of the transcription that lay between, if any."`
	Seed   string `yaml:"seed" doc:"The number of the document in the collection it came from."`
}

// Entity is a legal entity of the organisation.
type Entity struct {
	ID          string   `yaml:"id" is:"required;id=entities" doc:"Short name."`
	Name        string   `yaml:"name" is:"required" doc:"Registered name."`
	Country     string   `yaml:"country" is:"required;country" doc:"ISO 3166-1 alpha-2 code of its seat."`
	Memberships []string `yaml:"memberships" is:"enum=dpf,dpf-uk,dpf-ch,bcr-c,bcr-p,cbpr,prp" doc:"What it is certified for or bound by."`
	Roles       []string `yaml:"roles" doc:"What it does within the group."`
	Note        string   `yaml:"note" doc:"Anything that a reader should know."`
}

// Region is a place where personal data lives.
type Region struct {
	ID      string `yaml:"id" is:"required;id=regions" doc:"Short name such as ie1; it is part of every key and address."`
	Name    string `yaml:"name" is:"required" doc:"The place, for people."`
	Country string `yaml:"country" is:"required;country" doc:"ISO 3166-1 alpha-2 code."`
	Entity  string `yaml:"entity" is:"required;ref=entities" doc:"The entity that operates the region."`
	Running bool   `yaml:"running" is:"required" doc:"Whether nodes run in it; false means declared only."`
	Note    string `yaml:"note" doc:"Anything that a reader should know."`
}

// Service is a product that produces records.
type Service struct {
	ID           string         `yaml:"id" is:"required;id=services" doc:"Short name, part of every record's header."`
	Name         string         `yaml:"name" is:"required" doc:"The name on pages."`
	Role         string         `yaml:"role" is:"required;enum=controller,processor" doc:"The organisation's role for data in it."`
	Kinds        []string       `yaml:"kinds" is:"word" doc:"The kinds of record it produces; each has a mapping under kinds."`
	Previously   string         `yaml:"previously" doc:"An earlier name."`
	PartOf       string         `yaml:"part_of" is:"ref=services" doc:"The service that it is a feature of."`
	Availability []Availability `yaml:"availability" doc:"Where and since when it can be had."`
	Note         string         `yaml:"note" doc:"Anything that a reader should know."`
}

// Availability says where and since when a service, or a feature of it, can be had.
type Availability struct {
	Region   string `yaml:"region" is:"required;ref=regions" doc:"Where."`
	Status   string `yaml:"status" is:"required;enum=available,pilot,planned" doc:"How far it has come."`
	Since    When   `yaml:"since" doc:"A date, month, quarter (2021-Q4), half (2022-H1) or year."`
	Feature  string `yaml:"feature" doc:"The feature, where it is less than the whole service."`
	AltSince When   `yaml:"alt_since" doc:"A second date, where the source gives two."`
	Note     string `yaml:"note" doc:"Anything that a reader should know."`
}
