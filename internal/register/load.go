package register

import "domicile.dev/internal/programme"

// Parse reads a register, strictly. The error is programme.Faults.
func Parse(file string, src []byte) (*Register, error) {
	r := &Register{}
	doc := programme.ReadDocument(file, "register", src, r)
	r.check(doc.Fault)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	r.seal()
	return r, nil
}

// check reports what a fact must say and doesn't: it could only be read as less than it is.
func (r *Register) check(fault func(v any, key, message, hint string)) {
	for i := range r.Checks {
		c := &r.Checks[i]
		positive := c.Status == "active" || c.Status == "recertifying"
		switch {
		case c.Directory == "dpf" && (c.Row == "" || c.Scheme != ""):
			fault(c, "row", "a look-up in the DPF's directory is about one row", "row: eu-us, uk-extension or swiss-us, and no scheme")
		case c.Directory == "dpf" && positive && len(c.Data) == 0:
			fault(c, "data", "an active listing covers HR data, other data or both", "data: [non_hr]")
		case c.Directory == "cbpr" && (c.Scheme == "" || c.Row != ""):
			fault(c, "scheme", "a look-up in a CBPR directory is about one certificate", "scheme: global_cbpr or another, and no row")
		}
		ordered(fault, c, "valid_until", c.Checked, c.ValidUntil, positive)
	}
	for i := range r.Contracts {
		c := &r.Contracts[i]
		switch {
		case c.Kind == "scc" && (len(c.Modules) == 0 || c.Set == ""):
			fault(c, "modules", "a contract on clauses names its modules and the set it cites", `modules: [c2p], set: 2021/914`)
		case c.Kind == "comparable" && len(c.Countries) == 0:
			fault(c, "countries", "a contract for comparable protection names the countries", "countries: [US]")
		}
		ordered(fault, c, "valid_until", c.Signed, c.ValidUntil, true)
	}
	for i := range r.Assessments {
		a := &r.Assessments[i]
		switch with := len(a.Measures)+len(a.Drop) > 0; {
		case a.Outcome == "proceed_with_measures" && !with:
			fault(a, "measures", "the assessment asks for measures and names none", "measures: [pseudonymise]")
		case a.Outcome == "proceed" && with:
			fault(a, "outcome", "the assessment has measures", "outcome: proceed_with_measures")
		}
		ordered(fault, a, "due", a.Assessed, a.Due, true)
	}
	for i := range r.Attestations {
		ordered(fault, &r.Attestations[i], "valid_until", r.Attestations[i].Dated, r.Attestations[i].ValidUntil, true)
	}
	r.checkTerms(fault)
}

func (r *Register) checkTerms(fault func(v any, key, message, hint string)) {
	for i := range r.Enablements {
		ordered(fault, &r.Enablements[i], "until", r.Enablements[i].From, r.Enablements[i].Until, true)
	}
	for i := range r.Announcements {
		a := &r.Announcements[i]
		ordered(fault, a, "until", a.Announced, a.Until, true)
		ordered(fault, a, "withdrawn", a.Announced, a.Withdrawn, true)
	}
	for i := range r.Objections {
		ordered(fault, &r.Objections[i], "until", r.Objections[i].From, r.Objections[i].Until, true)
	}
	for i := range r.Pins {
		ordered(fault, &r.Pins[i], "until", r.Pins[i].From, r.Pins[i].Until, true)
	}
	for i := range r.Pauses {
		ordered(fault, &r.Pauses[i], "until", r.Pauses[i].From, r.Pauses[i].Until, true)
	}
	for i := range r.Cases {
		ordered(fault, &r.Cases[i], "until", r.Cases[i].From, r.Cases[i].Until, true)
	}
}

func ordered(fault func(v any, key, message, hint string), v any, key string, from, until programme.Date, judged bool) {
	if judged && from != "" && until != "" && until < from {
		fault(v, key, "it ends before it begins", "")
	}
}
