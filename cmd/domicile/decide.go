package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"domicile.dev/internal/client"
	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/term"
)

// decideCmd asks one question: of a node with --up or --live, by its programme and live register;
// else of a programme. It is about a made-up person, described by flags, or about a subject of the node's.
type decideCmd struct {
	Up        string   `help:"Ask what domicile up started with --dir DIR, by its live register." placeholder:"DIR"`
	Live      bool     `help:"Ask the node that DOMICILE_URL names, by its live register."`
	Subject   string   `help:"Of a node: the person, sub_…, by what the region knows." placeholder:"ID"`
	Programme string   `name:"programme" help:"The programme's folder; the built-in example when it is left out." placeholder:"DIR"`
	Register  string   `help:"A register; the *.register.yaml in the programme's folder when it is left out." placeholder:"FILE"`
	Flow      string   `required:"" help:"The declared flow." placeholder:"ID"`
	Kind      string   `required:"" help:"The kind of record, or service/kind." placeholder:"KIND"`
	Category  []string `help:"What would leave; all that the flow declares of the kind when left out." placeholder:"ID"`
	Origin    []string `help:"Whose law the person brings (countries, EU or EEA); the exporter's always count." placeholder:"CC"`
	Recipient string   `help:"The recipient; the flow's when left out." placeholder:"ID"`
	Purpose   string   `help:"The purpose; the flow's when left out." placeholder:"ID"`
	Region    string   `help:"The region that data would leave; the flow's when left out." placeholder:"ID"`
	Tenant    string   `help:"The customer." placeholder:"ID"`
	Form      string   `help:"The most that is asked for: clear, pseudonymised or aggregated." enum:"clear,pseudonymised,aggregated" default:"clear"`
	Case      string   `help:"The case of a one-off transfer." placeholder:"ID"`
	State     []string `help:"What stands against the person: erased, suppressed or restricted." enum:"erased,suppressed,restricted"`
	OptOut    []string `help:"The person's opt-outs: marketing, cpni, targeted_advertising, sale_or_sharing or gpc." enum:"marketing,cpni,targeted_advertising,sale_or_sharing,gpc"`
	Consent   []string `help:"Purposes that the person consents to." placeholder:"ID"`
	Object    []string `help:"Purposes that the person objects to." placeholder:"ID"`
	Unknown   bool     `help:"As if the person's state couldn't be looked up."`
	Without   []string `help:"As if these mechanisms or rules of law had been struck down." placeholder:"ID"`
	At        string   `help:"The day; today when left out." placeholder:"YYYY-MM-DD"`
}

// Run prints the decision and exits 3 when it denies.
func (c *decideCmd) Run(e *env) error {
	a, err := c.ask()
	if err != nil {
		return err
	}
	var d *decision.Decision
	if c.Up != "" || c.Live {
		d, err = c.ofNode(e, a)
	} else {
		d, err = c.ofProgramme(e, a)
	}
	if err != nil {
		return err
	}
	if e.json {
		err = printJSON(e.out, d)
	} else {
		err = showDecision(e.out, d)
	}
	if err == nil && !d.Allowed {
		err = &exitError{code: exitBad}
	}
	return err
}

// ofNode asks the node, as a tenant unless the question is about another.
func (c *decideCmd) ofNode(e *env, a decision.Ask) (*decision.Decision, error) {
	if c.Programme != "" || c.Register != "" {
		return nil, fault.New(fault.Invalid, "call.invalid", "a node decides by its own programme and register").WithHint("leave --programme and --register out, or ask without a node")
	}
	n := node{Up: c.Up}
	if c.Up != "" {
		n.Region = c.Region
	}
	open := n.tenant
	if c.Tenant != "" && c.Up != "" {
		open = n.operator
	}
	cl, err := open()
	if err != nil {
		return nil, err
	}
	d, err := cl.Decide(e.ctx, client.Question{Ask: a, Without: c.Without, Subject: c.Subject, At: c.At})
	return &d, err
}

// ofProgramme asks a folder, or the example.
func (c *decideCmd) ofProgramme(e *env, a decision.Ask) (*decision.Decision, error) {
	if c.Subject != "" {
		return nil, fault.New(fault.Invalid, "call.invalid", "only a node knows its subjects").WithHint("give --up DIR, or --live with DOMICILE_URL and DOMICILE_TOKEN")
	}
	r, err := openRules(c.Programme, c.Register)
	if err != nil {
		return nil, err
	}
	engine, err := r.engine(c.Without)
	if err != nil {
		return nil, err
	}
	at, err := onDay(c.At)
	if err != nil {
		return nil, err
	}
	c.hints(e, r.p)
	q := a.Question(engine)
	return engine.Decide(&q, at), nil
}

// hints names what is declared and near to words that aren't: the answer to those is a denial, as it should be,
// and to somebody who mistyped one it isn't the answer.
func (c *decideCmd) hints(e *env, p *programme.Programme) {
	if e.json {
		return
	}
	near := func(got, what string, declared []string) {
		if got == "" || slices.Contains(declared, got) {
			return
		}
		if hint := programme.DidYouMean(got, declared); hint != "" {
			_, _ = fmt.Fprintf(e.err, "hint: the programme declares no %s %s; %s\n", what, got, hint)
		}
	}
	var flows, kinds, categories, recipients, purposes []string
	for i := range p.Flows {
		flows = append(flows, p.Flows[i].ID)
	}
	for i := range p.Services {
		kinds = append(kinds, p.Services[i].Kinds...)
	}
	for i := range p.Categories {
		categories = append(categories, p.Categories[i].ID)
	}
	for i := range p.Recipients {
		recipients = append(recipients, p.Recipients[i].ID)
	}
	for i := range p.Purposes {
		purposes = append(purposes, p.Purposes[i].ID)
	}
	_, kind, qualified := strings.Cut(c.Kind, "/")
	if !qualified {
		kind = c.Kind
	}
	near(c.Flow, "flow", flows)
	near(kind, "kind", kinds)
	for _, x := range c.Category {
		near(x, "category", append(categories, term.Unclassified))
	}
	near(c.Recipient, "recipient", recipients)
	for _, x := range append([]string{c.Purpose}, append(c.Consent, c.Object...)...) {
		near(x, "purpose", purposes)
	}
}

func (c *decideCmd) ask() (decision.Ask, error) {
	a := decision.Ask{Flow: c.Flow, Tenant: c.Tenant, Kind: c.Kind, Categories: c.Category, Origins: upper(c.Origin), Recipient: c.Recipient, Purpose: c.Purpose,
		Region: c.Region, Form: c.Form, Case: c.Case, Unknown: c.Unknown, States: c.State, OptOuts: c.OptOut, Consents: c.Consent, Objects: c.Object}
	if service, kind, ok := strings.Cut(c.Kind, "/"); ok {
		a.Service, a.Kind = service, kind
	}
	for _, o := range a.Origins {
		if programme.IsJurisdiction(o) {
			continue
		}
		hint := "write ISO 3166-1 alpha-2 codes, EU or EEA, such as --origin DE,GB"
		if country := programme.CountryOf(o); country != "" {
			hint = "write " + country
		}
		return a, fault.New(fault.Invalid, "call.bad_country", "%s is no country", o).WithHint(hint)
	}
	return a, nil
}

func upper(all []string) (out []string) {
	for _, s := range all {
		out = append(out, strings.ToUpper(s))
	}
	return out
}

// showDecision prints a decision for people.
func showDecision(w io.Writer, d *decision.Decision) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	answer := "denied"
	switch {
	case d.Allowed:
		answer = "allowed, " + d.Form.String()
	case d.Manual:
		answer = "denied until somebody has looked (" + d.Scope + ")"
	default:
		answer += " (" + d.Scope + ")"
	}
	fmt.Fprintf(t, "%s\n", answer)
	fmt.Fprintf(t, "flow\t%s\n", d.Flow)
	for _, x := range [][2]string{{"recipient", d.Recipient}, {"purpose", d.Purpose}, {"legal basis", d.Basis}, {"laws", strings.Join(d.Laws, " ")},
		{"mechanism", d.Mechanism}, {"fallback", d.Fallback}, {"obligations", obligations(d)}, {"review", string(d.Review)}} {
		if x[1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", x[0], x[1])
		}
	}
	if len(d.Legs) > 0 {
		fmt.Fprintln(t, "\nLAW\tTO\tIN\tBY\tFALLBACK\tRULE\tMARK")
	}
	for _, l := range d.Legs {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Law, l.Importer, l.Country, cmp.Or(l.Mechanism, "none needed"), cmp.Or(l.Fallback, "-")+unread(l.FallbackMark), l.Rule, l.Mark)
	}
	fmt.Fprintln(t, "\nREASON\tCODE\tFORM\tSAYS\tAT")
	for _, r := range d.Reasons {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", strings.ReplaceAll(r.Effect, "_", " "), r.Code, cmp.Or(r.Form, "any"), says(r), strings.TrimSpace(r.At+" "+r.RuleAt))
	}
	fmt.Fprintf(t, "\nasked on %s  programme %s\nregister %s\nrules %s\n", d.At, d.Programme, cmp.Or(d.Register, "none"), d.Rules)
	return t.Flush()
}

// unread is a word on a rule that nobody read up, "" for others.
func unread(mark string) string {
	if mark != law.FromMemory {
		return ""
	}
	return " [from memory: check it]"
}

// says adds what the register saw, and how well the rule is known where that is not well.
func says(r decision.Reason) string {
	s := r.Says
	if r.Seen != "" {
		s += " (" + r.Seen + ")"
	}
	return s + unread(r.Mark)
}

func obligations(d *decision.Decision) string {
	var out []string
	for _, o := range d.Obligations {
		s := strings.ReplaceAll(o.Do, "_", " ")
		if len(o.What) > 0 {
			s += " " + strings.Join(o.What, ",")
		}
		if o.Least > 0 {
			s += fmt.Sprintf(" over at least %d people", o.Least)
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}
