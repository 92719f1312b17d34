package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"domicile.dev/examples"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/form"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/plan"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/subprocessor"
)

// programmeCmd looks at programmes without a node.
type programmeCmd struct {
	Check   programmeCheckCmd   `cmd:"" help:"Load a programme and what lies beside it, and report every fault; exit 3 when there is one."`
	Show    programmeShowCmd    `cmd:"" help:"Show what a programme declares."`
	Plan    programmePlanCmd    `cmd:"" help:"Say which flows a change stops, narrows or starts; exit 3 when one stops."`
	Diff    programmeDiffCmd    `cmd:"" help:"Say what two programmes declare differently."`
	Test    programmeTestCmd    `cmd:"" help:"Ask the cases kept beside a programme; exit 3 when one comes out wrong."`
	Compile programmeCompileCmd `cmd:"" help:"Print the programme's flows as Cedar policies."`
	Schema  programmeSchemaCmd  `cmd:"" help:"Print the JSON Schema of a programme's files, for editors."`

	Due      programmeDueCmd      `cmd:"" help:"List what a programme says comes again soon, or is late; exit 3 when something is late."`
	Evidence programmeEvidenceCmd `cmd:"" help:"Write what a certificate asks for with what is done and shown for it, for who reviews it."`
	Suggest  programmeSuggestCmd  `cmd:"" help:"Say of samples on stdin what the programme doesn't map, and where it might belong."`
}

type programmeCheckCmd struct {
	Dir string `arg:"" help:"The programme's folder."`
}

type programmeShowCmd struct {
	Dir     string `arg:"" optional:"" help:"The programme's folder; the built-in example when it is left out."`
	Section string `short:"s" enum:"all,regions,services,categories,kinds,plans,purposes,recipients,mechanisms,flows,retention" default:"all" help:"One of ${enum}."`
}

type programmeSchemaCmd struct{}

// checkAnswer is what `programme check --json` prints; it is a promise.
type checkAnswer struct {
	OK     bool             `json:"ok"`
	Hash   string           `json:"hash,omitempty"`
	Faults programme.Faults `json:"faults"`
	// Warnings are contradictions that may be what a source prints; or what is surely not meant; they are no faults.
	Warnings []subprocessor.Warning `json:"warnings,omitempty"`
}

// Run loads the programme. A faulty one is an answer, not a failure: it goes to stdout.
func (c *programmeCheckCmd) Run(e *env) error {
	p, err := openProgramme(c.Dir)
	var faults programme.Faults
	if err == nil {
		if err = plan.Check(p); err == nil {
			err = notice.Check(p)
		}
	}
	if err != nil && !errors.As(err, &faults) {
		return err
	}
	beside, besideErr := besideFaults(c.Dir)
	if besideErr != nil {
		return besideErr
	}
	if faults = append(faults, beside...); len(faults) > 0 && err == nil {
		err = faults
	}
	var warnings []subprocessor.Warning
	if p != nil {
		warnings = append(contradictions(c.Dir, p), strayPolicies(c.Dir, p)...)
		for _, f := range form.Check(p) {
			warnings = append(warnings, subprocessor.Warning{File: f.File, Line: f.Line, Column: f.Column, Code: f.Code, ID: f.Path, Message: f.Message, Hint: f.Suggestion})
		}
	}
	if e.json {
		answer := checkAnswer{OK: err == nil, Faults: faults, Warnings: warnings}
		if answer.Faults == nil {
			answer.Faults = programme.Faults{}
		}
		if p != nil {
			answer.Hash = p.Hash
		}
		if err := printJSON(e.out, answer); err != nil {
			return err
		}
	}
	if !e.json {
		for _, w := range warnings {
			e.say("warning: %s", w)
		}
	}
	if err == nil {
		if !e.json {
			fmt.Fprintf(e.out, "%s  %s\n", p.Hash, p.Organisation.Name)
		}
		return nil
	}
	if !e.json {
		for _, f := range faults {
			fmt.Fprintln(e.out, f)
		}
	}
	return &exitError{code: exitBad}
}

// Run shows the programme; with --json all of it, in canonical form, whatever the section.
func (c *programmeShowCmd) Run(e *env) error {
	p, err := openProgramme(c.Dir)
	var faults programme.Faults
	switch {
	case errors.As(err, &faults):
		return &exitError{code: exitBad, err: fault.New(fault.Invalid, "programme.faulty", "the programme has %d faults", len(faults)).
			WithHint("domicile programme check lists them")}
	case err != nil:
		return err
	case e.json:
		return printJSON(e.out, p)
	}
	return showProgramme(e.out, p, c.Section)
}

// Run prints the schema.
func (c *programmeSchemaCmd) Run(e *env) error {
	_, err := e.out.Write(programme.Schema())
	return err
}

// openProgramme loads the folder, the built-in example when dir is "". A folder that can't be
// read is a wrong call.
func openProgramme(dir string) (*programme.Programme, error) {
	if dir == "" {
		return programme.Load(examples.Communications())
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fault.New(fault.Invalid, "programme.no_folder", "%s is no folder that can be read", dir).
			WithHint("name the folder that holds the programme's .yaml files")
	}
	return programme.Load(os.DirFS(dir))
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// showProgramme prints the sections as tables.
func showProgramme(w io.Writer, p *programme.Programme, section string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	if section == "all" {
		fmt.Fprintf(t, "%s\n", p.Organisation.Name)
		if p.Organisation.Statement != "" {
			fmt.Fprintf(t, "%s\n", p.Organisation.Statement)
		}
		fmt.Fprintf(t, "%s\n", p.Hash)
	}
	for _, s := range []struct {
		name string
		show func(io.Writer, *programme.Programme)
	}{{"regions", showRegions}, {"services", showServices}, {"categories", showCategories}, {"kinds", showKinds}, {"plans", showPlans},
		{"purposes", showPurposes}, {"recipients", showRecipients}, {"mechanisms", showMechanisms}, {"flows", showFlows},
		{"retention", showRetention}} {
		if section != "all" && section != s.name {
			continue
		}
		if section == "all" {
			fmt.Fprintln(t)
		}
		s.show(t, p)
	}
	return t.Flush()
}

func showRegions(w io.Writer, p *programme.Programme) {
	fmt.Fprintln(w, "REGION\tNAME\tCOUNTRY\tENTITY\tRUNNING")
	for _, r := range p.Regions {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ID, r.Name, r.Country, r.Entity, yesNo(r.Running))
	}
}

func showServices(w io.Writer, p *programme.Programme) {
	fmt.Fprintln(w, "SERVICE\tNAME\tROLE\tKINDS")
	for _, s := range p.Services {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.ID, s.Name, s.Role, strings.Join(s.Kinds, " "))
	}
}

func showCategories(w io.Writer, p *programme.Programme) {
	fmt.Fprintln(w, "CATEGORY\tNAME\tSOURCE\tSENSITIVITY\tHOLDS")
	for _, c := range p.Categories {
		holds := fmt.Sprintf("%d elements", len(c.Elements))
		if c.GroupHeading {
			holds = strings.Join(c.Children, " ")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.ID, c.Name, c.Source, c.Sensitivity, holds)
	}
}

func showKinds(w io.Writer, p *programme.Programme) {
	fmt.Fprintln(w, "SERVICE\tKIND\tPATH\tCATEGORY\tOWNER")
	for k, rules := range p.KindRules() {
		for _, f := range rules {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.Service, k.Kind, f.Path, f.Category, f.OwnerOrDefault())
		}
	}
}

func showPlans(w io.Writer, p *programme.Programme) {
	fmt.Fprintln(w, "PLAN\tKIND\tEVENT\tUNPLANNED EVENT\tUNPLANNED PROPERTY\tINVALID")
	for _, x := range p.Plans {
		for _, e := range x.Events {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", x.ID, e.Kind, e.Event, keepOr(x.UnplannedEvent), keepOr(x.UnplannedProperty), keepOr(x.Invalid))
		}
	}
}

func keepOr(setting string) string {
	if setting == "" {
		return programme.PlanKeep
	}
	return setting
}

func showPurposes(w io.Writer, p *programme.Programme) {
	fmt.Fprintln(w, "PURPOSE\tNAME\tLEGAL BASES\tCATEGORIES")
	for _, u := range p.Purposes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", u.ID, u.Name, strings.Join(u.LegalBases, " "), strings.Join(p.CategoriesOf(u.ID), " "))
	}
}

func showRecipients(w io.Writer, p *programme.Programme) {
	fmt.Fprintln(w, "RECIPIENT\tNAME\tCLASS\tLOCATIONS\tSERVICES")
	for _, r := range p.Recipients {
		var places, services []string
		for _, l := range r.Locations {
			places = append(places, l.Country+l.Area)
		}
		if r.SubProcessor != nil {
			services = r.SubProcessor.Services
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ID, r.Name, r.Class, strings.Join(places, " "), strings.Join(services, " "))
	}
}

func showMechanisms(w io.Writer, p *programme.Programme) {
	fmt.Fprintln(w, "MECHANISM\tNAME\tKIND\tORIGINS\tHOLDERS")
	for _, m := range p.Mechanisms {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", m.ID, m.Name, m.Kind, strings.Join(m.Origins, " "), strings.Join(m.Holders, " "))
	}
}

func showFlows(w io.Writer, p *programme.Programme) {
	fmt.Fprintln(w, "FLOW\tFROM\tSERVICES\tTO\tFORM\tPURPOSE\tCATEGORIES")
	for _, f := range p.Flows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.ID, f.From, strings.Join(f.Services, " "), f.To, f.Form, f.Purpose, strings.Join(f.Categories, " "))
	}
}

func showRetention(w io.Writer, p *programme.Programme) {
	fmt.Fprintln(w, "SERVICE\tKIND\tCATEGORY\tKEPT")
	for _, c := range p.Retention.Classes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", anyOr(c.Service), anyOr(c.Kind), anyOr(c.Category), c.Keep)
	}
}

func anyOr(s string) string {
	if s == "" {
		return "any"
	}
	return s
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
