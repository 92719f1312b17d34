// Package register holds what was observed on a day: look-ups in directories, assessments, contracts
// in force, objections, enablements, pins. A programme declares; a register has seen.
//
// It is a value with a strict YAML loader, and the Service that keeps it in a region's store, where
// each fact is a row that is never changed.
//
// Format: docs/formats/register.md, version 1.
package register

import (
	"cmp"
	"slices"

	"domicile.dev/internal/programme"
)

// Format is the version of the format, the value of the key `format`.
const Format = "domicile.register/v1"

// Suffix ends the names of registers in a programme's folder.
const Suffix = ".register.yaml"

// Register is a set of dated facts. Entities are named by their registered names, exactly.
type Register struct {
	// Version is "sha256:" and the hex of the SHA-256 over the facts in canonical form.
	Version string `yaml:"-"`
	// Unread says why the facts couldn't be read, "" when they were: then everything is denied.
	Unread string `yaml:"-"`
	// Askings are the consents that have to be asked for again.
	Askings Askings `yaml:"-"`

	Format        string         `yaml:"format" is:"required;const=domicile.register/v1" doc:"The version of this format."`
	Checks        []Check        `yaml:"checks" doc:"Look-ups in public directories. The last one about an entity and row counts."`
	Contracts     []Contract     `yaml:"contracts" doc:"Contracts with recipients."`
	Assessments   []Assessment   `yaml:"assessments" doc:"Transfer impact assessments and UK data protection tests. The last one counts."`
	Attestations  []Attestation  `yaml:"attestations" doc:"Recipients within the scope of an adequacy decision that has a limit."`
	Enablements   []Enablement   `yaml:"enablements" doc:"Recipients that a customer enabled."`
	Announcements []Announcement `yaml:"announcements" doc:"Sub-processors that were announced. The last one about a recipient counts."`
	Objections    []Objection    `yaml:"objections" doc:"Customers' objections to recipients."`
	Pins          []Pin          `yaml:"pins" doc:"Customers' residency pins. The last one of a customer counts."`
	Pauses        []Pause        `yaml:"pauses" doc:"Flows that somebody stopped."`
	Cases         []Case         `yaml:"cases" doc:"One-off transfers under a derogation."`
	Backups       []Backup       `yaml:"backups" doc:"Copies of the region that the operator made. The last one of what it holds and where counts."`
}

// Backup is a copy of the region that somebody made, outside of this software.
type Backup struct {
	Of       string         `yaml:"of" is:"required;enum=store,keys,blobs" doc:"What was copied: the store, the keyring or recordings and attachments."`
	Place    string         `yaml:"place" is:"required;country" doc:"The country where the copy lies."`
	Made     programme.Date `yaml:"made" is:"required" doc:"The day on which it was made."`
	Restored programme.Date `yaml:"restored" doc:"The day on which such a copy was last restored for a trial."`
	By       string         `yaml:"by" doc:"Who or what made it."`
}

// BackupsOn returns, of each sort of copy and place, the last one that is known on a day, by sort and place.
func (r *Register) BackupsOn(day programme.Day) (all []Backup) {
	for _, b := range r.Backups {
		if programme.FirstDay(b.Made) > day {
			continue
		}
		i := slices.IndexFunc(all, func(x Backup) bool { return x.Of == b.Of && x.Place == b.Place })
		if i < 0 {
			all = append(all, b)
		} else if b.Made >= all[i].Made {
			all[i] = b
		}
	}
	slices.SortFunc(all, func(a, b Backup) int { return cmp.Or(cmp.Compare(a.Of, b.Of), cmp.Compare(a.Place, b.Place)) })
	return all
}

// Check is one look-up in a public directory.
type Check struct {
	Directory  string         `yaml:"directory" is:"required;enum=dpf,cbpr" doc:"Which directory."`
	Entity     string         `yaml:"entity" is:"required" doc:"The exact legal entity that was looked up."`
	Row        string         `yaml:"row" is:"enum=eu-us,uk-extension,swiss-us" doc:"dpf: the row of the framework."`
	Scheme     string         `yaml:"scheme" is:"enum=apec_cbpr,apec_prp,global_cbpr,global_prp" doc:"cbpr: the certificate."`
	Status     string         `yaml:"status" is:"required;enum=active,recertifying,inactive,not_listed,failed" doc:"What it said; failed when the look-up itself did."`
	Data       []string       `yaml:"data" is:"enum=hr,non_hr" doc:"dpf: the data that the listing covers."`
	Checked    programme.Date `yaml:"checked" is:"required" doc:"The day of the look-up."`
	ValidUntil programme.Date `yaml:"valid_until" doc:"Last day of the certification, where the directory prints it."`
	By         string         `yaml:"by" doc:"Who or what looked it up."`
}

// Contract is a signed contract. What a rule asks of it must be said; nothing is assumed.
type Contract struct {
	ID         string         `yaml:"id" is:"required;id" doc:"Short name."`
	Kind       string         `yaml:"kind" is:"required;enum=data_protection,scc,addendum,idta,br_scc,comparable" doc:"data_protection: the contract every recipient needs (GDPR art. 28 for processors). The others are mechanisms."`
	With       string         `yaml:"with" is:"required" doc:"The exact legal entity of the recipient."`
	By         string         `yaml:"by" doc:"The other party, when it is not the organisation: a recipient that passes data on."`
	Modules    []string       `yaml:"modules" is:"enum=c2c,c2p,p2p,p2c" doc:"scc: the modules in it."`
	Set        string         `yaml:"set" is:"enum=2021/914,2010/87,2004/915,2001/497" doc:"scc: the decision it cites."`
	Annexes    bool           `yaml:"annexes_complete" doc:"scc: true when every annex of its modules is filled."`
	Unaltered  bool           `yaml:"unaltered" doc:"scc, br_scc: true when the text is whole and unchanged."`
	Swiss      bool           `yaml:"swiss_changes" doc:"scc: true when it has the changes for Switzerland."`
	Own        bool           `yaml:"own_controller" doc:"scc, p2c: true when the importer is the controller that the exporter processes for."`
	Countries  []string       `yaml:"countries" is:"country" doc:"comparable: the countries that it names."`
	Signed     programme.Date `yaml:"signed" is:"required" doc:"First day in force."`
	ValidUntil programme.Date `yaml:"valid_until" doc:"Last day in force."`
	Document   string         `yaml:"document" doc:"Where it is kept."`
}

// Assessment is a transfer impact assessment, or the UK's data protection test.
type Assessment struct {
	Kind     string         `yaml:"kind" is:"required;enum=tia,protection_test" doc:"Which of the two."`
	Entity   string         `yaml:"entity" is:"required" doc:"The exact legal entity of the recipient."`
	Country  string         `yaml:"country" is:"required;country" doc:"The destination that was assessed."`
	Outcome  string         `yaml:"outcome" is:"required;enum=proceed,proceed_with_measures,stop" doc:"What it found."`
	Measures []string       `yaml:"measures" is:"enum=pseudonymise,tls_1_3" doc:"What must be done for it to hold."`
	Drop     []string       `yaml:"drop" is:"word" doc:"Categories that must not go."`
	Assessed programme.Date `yaml:"assessed" is:"required" doc:"The day it was finished."`
	Due      programme.Date `yaml:"due" is:"required" doc:"The last day it is good for."`
	Document string         `yaml:"document" doc:"Where it is kept."`
	Steps    Steps          `yaml:"steps" doc:"What was found in each of the six steps of the EDPB's Recommendations 01/2020."`
}

// Steps are the six steps of EDPB Recommendations 01/2020, in their order, in words and without personal data.
type Steps struct {
	Transfers  string `yaml:"transfers" doc:"1: what is transferred, to whom, where, and on to whom."`
	Tool       string `yaml:"tool" doc:"2: the transfer tool that is relied on."`
	Law        string `yaml:"law" doc:"3: whether the tool is effective given the law and practices of the country."`
	Measures   string `yaml:"measures" doc:"4: the supplementary measures that were adopted."`
	Procedure  string `yaml:"procedure" doc:"5: the procedural steps that they need."`
	Evaluation string `yaml:"evaluation" doc:"6: how and when it is evaluated again."`
}

// Done returns how many of the six steps say something.
func (s *Steps) Done() (n int) {
	for _, x := range []string{s.Transfers, s.Tool, s.Law, s.Measures, s.Procedure, s.Evaluation} {
		if x != "" {
			n++
		}
	}
	return n
}

// Attestation says that an entity is within the limit of an adequacy decision.
type Attestation struct {
	Entity     string         `yaml:"entity" is:"required" doc:"The exact legal entity."`
	Limit      string         `yaml:"limit" is:"required;word" doc:"The limit, as the law's rule names it."`
	Dated      programme.Date `yaml:"dated" is:"required" doc:"The day it was found."`
	ValidUntil programme.Date `yaml:"valid_until" doc:"Last day it is good for."`
}

// Enablement is a customer's choice of a recipient.
type Enablement struct {
	Tenant    string         `yaml:"tenant" is:"required;word" doc:"The customer."`
	Recipient string         `yaml:"recipient" is:"required;word" doc:"The recipient's id in the programme."`
	From      programme.Date `yaml:"from" is:"required" doc:"First day."`
	Until     programme.Date `yaml:"until" doc:"Last day."`
}

// Announcement is a recipient's way onto the published list of sub-processors, or off it.
type Announcement struct {
	Recipient string         `yaml:"recipient" is:"required;word" doc:"The recipient's id in the programme."`
	Announced programme.Date `yaml:"announced" is:"required" doc:"The day on which customers were told."`
	Until     programme.Date `yaml:"until" is:"required" doc:"The last day on which they may object; nothing flows before it is over."`
	Withdrawn programme.Date `yaml:"withdrawn" doc:"The day on which it left the list."`
}

// Objection is a customer's objection to a recipient.
type Objection struct {
	Tenant    string         `yaml:"tenant" is:"required;word" doc:"The customer."`
	Recipient string         `yaml:"recipient" is:"required;word" doc:"The recipient's id in the programme."`
	From      programme.Date `yaml:"from" is:"required" doc:"The day it was made."`
	Until     programme.Date `yaml:"until" doc:"Last day before it was settled."`
}

// Pin keeps a customer's clear data in some places.
type Pin struct {
	Tenant string         `yaml:"tenant" is:"required;word" doc:"The customer."`
	Places []string       `yaml:"places" is:"required;jurisdiction" doc:"Countries, EU or EEA."`
	From   programme.Date `yaml:"from" is:"required" doc:"First day."`
	Until  programme.Date `yaml:"until" doc:"Last day."`
}

// Pause stops a flow.
type Pause struct {
	Flow   string         `yaml:"flow" is:"required;word" doc:"The flow."`
	Reason string         `yaml:"reason" is:"required" doc:"Why, without personal data."`
	From   programme.Date `yaml:"from" is:"required" doc:"First day."`
	Until  programme.Date `yaml:"until" doc:"Last day."`
}

// Case is a one-off transfer under a derogation.
type Case struct {
	ID        string         `yaml:"id" is:"required;id" doc:"The case's id, which the question names."`
	Recipient string         `yaml:"recipient" is:"required;word" doc:"The recipient's id in the programme."`
	Ground    string         `yaml:"ground" is:"required;enum=explicit_consent,contract_with_person,contract_for_person,public_interest,legal_claims,vital_interests,public_register" doc:"The derogation."`
	From      programme.Date `yaml:"from" is:"required" doc:"First day."`
	Until     programme.Date `yaml:"until" is:"required" doc:"Last day; a derogation has no open end."`
}
