package decision

import (
	"fmt"
	"slices"
	"strings"

	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

func contractKey(i *importer) string { return register.KeyContract(i.by, i.name) }

// lawGates is condition (e) under one law: bars first, then one gate for each destination.
func (c *compiler) lawGates(l *law.Profile) (g []gate) {
	for n := range c.to {
		i := &c.to[n]
		for _, country := range i.places {
			for _, r := range l.OfKind(law.Localisation) {
				if r.Reaches(country) {
					g = append(g, c.bar(l, r, i, country))
				}
			}
			ways, home := c.within(l, country)
			need := cond{op: opAll} // always at home: nothing is needed
			if home == nil {
				says := fmt.Sprintf("a mechanism of %s carries data to %s in %s", l.Name, i.name, country)
				need = cond{op: opAny, subs: append(ways, c.ways(l, i, country)...), code: "mechanism.none", says: says}
			}
			x := c.gate(fmt.Sprintf("law/%s/%s/%s", l.ID, i.id, country), WholeFlow, need)
			x.law, x.isLeg, x.leg, x.home = l.ID, true, Leg{Law: l.ID, Importer: i.name, Country: country}, home
			g = append(g, x)
		}
	}
	return g
}

// within are the rules by which a country is no transfer. home is one that holds whatever the day; then nothing
// else is asked.
func (c *compiler) within(l *law.Profile, country string) (ways []cond, home *law.Rule) {
	for _, r := range l.OfKind(law.Within) {
		if !r.Reaches(country) {
			continue
		}
		days := c.inForce(r, c.at)
		if len(days) == 0 {
			return nil, r
		}
		ways = append(ways, cond{op: opAll, rule: r, at: c.at, subs: days})
	}
	return ways, nil
}

// bar is a hard localisation: no mechanism overrides it.
func (c *compiler) bar(l *law.Profile, r *law.Rule, i *importer, country string) gate {
	x := cond{op: opOutside, day: programme.FirstDay(r.From), last: programme.LastDay(r.Until), rule: r, at: c.at, code: "law.localisation", says: r.Says + ": " + country}
	if len(r.Categories) > 0 { // it keeps some categories only
		either := cond{op: opAny, code: x.code, says: x.says, at: x.at, rule: r}
		either.subs = []cond{{op: opNoCategory, set: r.Categories, quiet: true, rule: r}, x}
		either.subs[1].quiet = true
		x = either
	}
	g := c.gate(fmt.Sprintf("bar/%s/%s/%s", r.ID, i.id, country), WholeFlow, x)
	g.law = l.ID
	return g
}

// ways are what may carry data to a destination, in order: nothing to carry (aggregates), no rule, then
// the mechanisms. Adequacy needs no paper of the recipient's, so the programme's come first even
// where a recipient lists others; a flow's own list is taken as it is.
func (c *compiler) ways(l *law.Profile, i *importer, country string) (ways []cond) {
	for _, r := range l.OfKind(law.Anonymous) {
		if !r.Reaches(country) {
			continue
		}
		way := cond{op: opAll, rule: r, at: c.at, quiet: true, subs: append(c.inForce(r, c.at), cond{op: opForm, form: Aggregated})}
		ways = append(ways, way)
	}
	for _, r := range l.OfKind(law.Free) {
		if !r.Reaches(country) {
			continue
		}
		ways = append(ways, cond{op: opAll, rule: r, at: c.at, subs: c.inForce(r, c.at)})
	}
	for _, m := range c.order(i) {
		ways = append(ways, c.way(l, m, i, country))
	}
	return ways
}

func (c *compiler) order(i *importer) (order []*programme.Mechanism) {
	listed := i.r.Mechanisms
	if i.by == "" && len(c.f.Mechanisms) > 0 {
		listed = c.f.Mechanisms
	} else if len(listed) > 0 {
		for n := range c.p.Mechanisms {
			if m := &c.p.Mechanisms[n]; m.Kind == law.Adequacy && !slices.Contains(listed, m.ID) {
				order = append(order, m)
			}
		}
	}
	if len(listed) == 0 {
		for n := range c.p.Mechanisms {
			order = append(order, &c.p.Mechanisms[n])
		}
	}
	for _, id := range listed {
		if m := c.p.Mechanism(id); m != nil {
			order = append(order, m)
		}
	}
	return slices.DeleteFunc(order, func(m *programme.Mechanism) bool { return slices.Contains(c.without, m.ID) })
}

// way is one mechanism under one law: any of the law's rules of that kind.
func (c *compiler) way(l *law.Profile, m *programme.Mechanism, i *importer, country string) cond {
	place := at(c.p.At(m))
	no := func(code, says string) cond {
		return cond{op: opAll, mech: m.ID, at: place, subs: []cond{{op: opNever, code: code, says: m.ID + ": " + says, at: place}}}
	}
	if !slices.ContainsFunc(m.Origins, l.Covers) {
		return no("mechanism.other_law", "it is not declared for "+l.ID)
	}
	if len(m.Destinations) > 0 && !slices.ContainsFunc(m.Destinations, func(j string) bool { return slices.Contains(programme.Expand(j), country) }) {
		return no("mechanism.other_destination", "it is not declared for "+country)
	}
	var rules []cond
	for _, r := range l.OfKind(m.Kind) {
		if !r.Reaches(country) || m.Kind == law.BCR && r.Scheme != m.Scheme ||
			m.Kind == law.CBPR && r.For != "" && (r.For == "processor") != i.processor() {
			continue
		}
		subs := slices.Concat(c.declaredValid(m, place), c.inForce(r, place), c.asks(m, r, i, country), c.needs(m, r, i, country))
		rules = append(rules, cond{op: opAll, mech: m.ID, rule: r, at: place, subs: subs})
	}
	switch len(rules) {
	case 0:
		return no("mechanism.no_rule", fmt.Sprintf("%s has no rule by which it carries data to %s in %s", l.ID, i.name, country))
	case 1:
		return rules[0]
	}
	return cond{op: opAny, mech: m.ID, subs: rules, code: "mechanism.rules", says: "one of the rules for " + m.ID + " holds", at: place}
}

// declaredValid is the validity that the programme declares.
func (c *compiler) declaredValid(m *programme.Mechanism, place string) (out []cond) {
	if m.ValidFrom != "" {
		out = append(out, cond{op: opFrom, day: programme.FirstDay(m.ValidFrom), at: place, code: "mechanism.not_yet", says: m.ID + " is valid since " + string(m.ValidFrom)})
	}
	if m.ValidUntil != "" {
		out = append(out, cond{op: opUntil, day: programme.LastDay(m.ValidUntil), at: place, code: "mechanism.expired", says: m.ID + " is valid until " + string(m.ValidUntil)})
	}
	return out
}

// inForce is the time in which a rule holds, and the rule that it falls with.
func (c *compiler) inForce(r *law.Rule, place string) (out []cond) {
	if r.From != "" {
		out = append(out, cond{op: opFrom, day: programme.FirstDay(r.From), rule: r, at: place, code: "rule.not_yet", says: r.ID + " holds since " + string(r.From)})
	}
	if r.Until != "" {
		out = append(out, cond{op: opUntil, day: programme.LastDay(r.Until), rule: r, at: place, code: "rule.expired", says: r.ID + " holds until " + string(r.Until)})
	}
	if r.StandsOn == "" {
		return out
	}
	base := c.book.Rule(r.StandsOn)
	if base == nil {
		return append(out, cond{op: opNever, rule: r, at: place, code: "rule.fallen", says: r.ID + " can't stand without " + r.StandsOn})
	}
	return append(out, c.inForce(base, place)...)
}

// asks is what a rule of its kind asks of the importer.
func (c *compiler) asks(m *programme.Mechanism, r *law.Rule, i *importer, country string) []cond {
	place := at(c.p.At(m))
	yes := func(code, key, says string) cond {
		return cond{op: opFact, key: key, maxAge: programme.Day(r.CheckDays), rule: r, at: place, code: code, says: says}
	}
	no := func(code, says string) []cond {
		return []cond{{op: opNever, rule: r, at: place, code: code, says: says}}
	}
	if e := i.r.Entity; e != "" && len(m.Holders) > 0 && m.Kind != law.BCR && !slices.Contains(m.Holders, e) {
		return no("mechanism.not_holder", fmt.Sprintf("%s does not hold %s", i.name, m.ID))
	}
	switch r.Kind {
	case law.Adequacy:
		if r.Limit == "" {
			return nil
		}
		return []cond{yes("adequacy.limit", register.KeyLimit(r.Limit, i.name), fmt.Sprintf("%s is within the decision: %s", i.name, r.Says))}
	case law.DPF:
		return c.dpf(r, i, yes)
	case law.BCR:
		return c.bcr(m, r, i, no)
	case law.SCC:
		return c.scc(r, i, yes, no)
	case law.IDTA, law.BrazilSCC:
		return []cond{yes(r.Kind, register.KeyPlain(r.Kind, i.by, i.name), fmt.Sprintf("%s signed: %s", i.name, r.Says))}
	case law.Contract:
		return []cond{yes("comparable", register.KeyComparable(i.by, i.name, country), fmt.Sprintf("a contract with %s for comparable protection names %s", i.name, country))}
	case law.CBPR:
		var any []cond
		for _, s := range r.Schemes {
			any = append(any, cond{op: opAll, mech: s, rule: r, subs: []cond{yes("certificate", register.KeyCertificate(s, i.name), fmt.Sprintf("%s holds %s", i.name, s))}})
		}
		return []cond{{op: opAny, subs: any, rule: r, at: place, code: "certificate.none", says: i.name + " holds a certificate that is recognised for its role"}}
	case law.Derogation:
		if i.by != "" {
			return no("derogation.onward", fmt.Sprintf("a case is about the flow's recipient, and not about what it passes on to %s", i.name))
		}
		return []cond{{op: opCase, key: c.f.To, rule: r, at: place, code: "derogation.recurring", says: "a derogation is for one transfer with an open case, never for a running flow"}}
	}
	return no("rule.unknown_kind", "the rule can't be judged")
}

// dpf asks for the exact entity, the row, the row below it, and the kind of data.
func (c *compiler) dpf(r *law.Rule, i *importer, yes func(code, key, says string) cond) (out []cond) {
	staff, others := false, false
	for _, x := range c.leaves {
		if k := c.p.Category(x); k != nil && k.HumanResources {
			staff = true
		} else {
			others = true
		}
	}
	for _, data := range []string{"hr", "non_hr"} {
		if data == "hr" && !staff || data == "non_hr" && !others {
			continue
		}
		for _, row := range []string{r.BaseRow, r.Row} {
			if row != "" {
				out = append(out, yes("dpf.listing", register.KeyDPF(row, data, i.name),
					fmt.Sprintf("%s is on the %s row for %s data by a look-up of at most %d days ago", i.name, row, data, r.CheckDays)))
			}
		}
	}
	return out
}

// bcr asks that both sides are bound and that the rules are for this role.
func (c *compiler) bcr(m *programme.Mechanism, r *law.Rule, i *importer, no func(code, says string) []cond) []cond {
	switch {
	case m.ApprovedBy == "":
		return no("bcr.not_approved", m.ID+" doesn't say who approved it")
	case slices.ContainsFunc(i.exporter, func(role string) bool { return role != r.Role }):
		return no("bcr.other_role", fmt.Sprintf("%s covers what the exporter holds as %s, not as %s", r.Scheme, r.Role, strings.Join(i.exporter, " and ")))
	case i.by != "" || c.region == nil || !slices.Contains(m.Holders, c.region.Entity):
		return no("bcr.exporter_not_bound", "the exporter is not on the list of entities of "+m.ID)
	case !slices.Contains(m.Holders, i.r.Entity):
		return no("bcr.importer_not_bound", i.name+" is not on the list of entities of "+m.ID)
	}
	return nil
}

// scc asks for the module of each pair of roles.
func (c *compiler) scc(r *law.Rule, i *importer, yes func(code, key, says string) cond, no func(code, says string) []cond) (out []cond) {
	for _, role := range i.exporter {
		module := map[[2]string]string{
			{"controller", "independent_controller"}: "c2c", {"controller", "joint_controller"}: "c2c", {"controller", "processor"}: "c2p",
			{"processor", "processor"}: "p2p", {"processor", "independent_controller"}: "p2c", {"processor", "joint_controller"}: "p2c",
		}[[2]string{role, i.role}]
		if module == "" {
			return no("scc.no_module", fmt.Sprintf("no module is for a %s that exports to a %s", role, i.role))
		}
		key := register.KeySCC(module, i.by, i.name)
		if slices.Contains(r.Needs, law.NeedSwissChanges) {
			key = register.KeySwissSCC(module, i.by, i.name)
		}
		out = append(out, yes("scc", key, fmt.Sprintf("%s signed module %s of the clauses of 2021, whole and with its annexes: %s", i.name, module, r.Says)))
	}
	return out
}

// needs is what a rule or the programme asks for beside the mechanism. None of it carries anything alone.
func (c *compiler) needs(m *programme.Mechanism, r *law.Rule, i *importer, country string) (out []cond) {
	place := at(c.p.At(m))
	if m.RequiresTIA || slices.Contains(r.Needs, law.NeedTIA) {
		out = append(out, cond{op: opTIA, key: register.KeyTIA("clear", i.name, country), other: register.KeyTIA("pseudonymised", i.name, country),
			rule: r, at: place, code: "tia", says: fmt.Sprintf("a transfer impact assessment of %s in %s lets it go in this form", i.name, country)})
	}
	if slices.Contains(r.Needs, law.NeedAddendum) {
		out = append(out, cond{op: opFact, key: register.KeyPlain("addendum", i.by, i.name), rule: r, at: place, code: "addendum", says: i.name + " signed the UK Addendum; the EU clauses alone are not valid"})
	}
	if slices.Contains(r.Needs, law.NeedProtectionTest) {
		out = append(out, cond{op: opFact, key: register.KeyTest(i.name, country), rule: r, at: place, code: "protection_test", says: fmt.Sprintf("the data protection test of %s in %s was passed", i.name, country)})
	}
	return out
}
