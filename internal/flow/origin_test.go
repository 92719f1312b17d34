package flow_test

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"domicile.dev/examples"
	"domicile.dev/internal/consent"
	"domicile.dev/internal/decision"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
	"domicile.dev/internal/store/sqlstore"
)

const (
	brazilian = "+5511961234567"
	british   = "+447400123456"
)

// declares is a message of somebody's that says where they live.
func (n *node) declares(number, phone, country string) {
	n.t.Helper()
	n.bring(fmt.Sprintf(`{"id":%q,"kind":"message","service":"messaging","subjects":[{"type":"phone","value":%q,"role":"sender"}],`+
		`"data":{"from":%q,"body":"text %s","message_id":"SM%s","address":{"country":%q}}}`, number, phone, phone, number, number, country))
}

// changed makes the engine anew by an example with some texts exchanged, and more facts.
func (r *region) changed(facts string, pairs ...string) {
	r.t.Helper()
	fsys, changed := fstest.MapFS{}, 0
	all := examples.Communications()
	names, err := fs.Glob(all, "*.*")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(all, name)
		if err != nil {
			r.t.Fatal(err)
		}
		next := strings.NewReplacer(pairs...).Replace(string(text))
		if next != string(text) {
			changed++
		}
		fsys[name] = &fstest.MapFile{Data: []byte(next)}
	}
	p, err := programme.Load(fsys)
	if err != nil || len(pairs) > 0 && changed == 0 {
		r.t.Fatalf("%d files changed, %v", changed, err)
	}
	reg, err := register.Parse("assumed.register.yaml", []byte(strings.Replace(string(example().register), "contracts:\n", "contracts:\n"+facts, 1)))
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.engine = decision.New(p, law.Builtin(), reg, nil)
}

// denials are how many records were left out, by code.
func (n *node) denials(id string) map[string]int64 {
	n.t.Helper()
	v, err := n.runner.Show(context.Background(), operator, id)
	if err != nil || len(v.Tenants) != 1 {
		n.t.Fatalf("%+v, %v", v, err)
	}
	out := map[string]int64{}
	for _, c := range v.Tenants[0].Counts {
		if c.What == "denied" {
			out[c.Of] += c.N
		}
	}
	return out
}

// The same recipient, the same flow, and each person under the laws that they bring: EU law and the region's let a
// message go to the US on the framework, Brazil's doesn't know it.
func TestAFlowAsksTheLawThatAPersonBrings(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		r.say = consent.New(sqlstore.Consents{})
		n := r.open(nil).run()
		n.message("0", ann, bob)
		n.order(flow.Start, "0")
		sent := func(what string, want ...string) {
			t.Helper()
			r.until(what, func() bool { return n.at().LagRows == 0 && len(r.to.lines()) >= len(want) })
			if got := texts(t, r.to.lines()); !slices.Equal(got, want) {
				t.Errorf("%s: sent %v, want %v", what, got, want)
			}
		}
		sent("two Irish numbers", "0")
		n.message("1", brazilian, brazilian)
		n.message("2", ann, brazilian)
		n.message("3", ann, bob)
		sent("a Brazilian number: one's own message stays, of another's what is Irish goes", "0", "2", "3")
		lines := r.to.lines()
		if l := lines[len(lines)-2]; strings.Contains(l, n.find(brazilian).String()) || !strings.Contains(l, n.find(ann).String()) {
			t.Errorf("the message between both went out as %s", l)
		}
		n.declares("4", ann, "BR")
		n.declares("5", bob, "Germany")
		n.message("6", ann, ann)
		sent("who lives in Brazil", "0", "2", "3", "5")
		n.declares("7", ann, "India")
		if d := n.denials(screening); d["mechanism.none"] == 0 {
			t.Errorf("denied %v", d)
		}
		r.until("a country without a profile is counted", func() bool { return n.denials(screening)["law.manual_review"] > 0 })
		n.declares("8", ann, "IE")
		sent("who moved", "0", "2", "3", "5", "8")

		before := len(r.to.lines())
		n.order(flow.Replay, "0")
		sent("the same records, now that the law is another", append([]string{"0", "2", "3", "5", "8"}, "0", "2", "3", "4", "5", "6", "7", "8")...)
		if len(r.to.lines())-before != 8 {
			t.Errorf("the replay sent %d", len(r.to.lines())-before)
		}

		// The mechanism that Brazil's law knows, with its paper: what was passed over goes on the next time.
		r.changed("  - {id: br, kind: br_scc, with: Adaptive Mobile, unaltered: true, signed: 2025-01-01}\n", "mechanisms: [dpf, scc]\n    tia: {stated: true}", "mechanisms: [dpf, scc, br_scc]\n    tia: {stated: true}")
		n.message("9", brazilian, brazilian)
		r.until("Brazil's clauses carry it", func() bool { l := texts(t, r.to.lines()); return l[len(l)-1] == "9" })
		n.order(flow.Replay, "0")
		r.until("and what was passed over", func() bool { return slices.Contains(texts(t, r.to.lines()), "1") })
		n.mustBeEntered()
	})
}

// The programme says what tells a person's law; what it leaves out asks nothing.
func TestAFlowGoesByTheSignalsThatTheProgrammeCounts(t *testing.T) {
	r := newRegion(t, "")
	r.say = consent.New(sqlstore.Consents{})
	r.changed("", "person_origins: [residence, phone_country]", "person_origins: [residence]")
	n := r.open(nil).run()
	n.order(flow.Start, "")
	n.message("0", brazilian, brazilian)
	n.declares("1", ann, "BR")
	n.message("2", bob, bob)
	r.until("two leave", func() bool { return n.at().LagRows == 0 && len(r.to.lines()) == 2 })
	if got := texts(t, r.to.lines()); !slices.Equal(got, []string{"0", "2"}) {
		t.Errorf("sent %v", got)
	}
}

// Who may only be counted under their law is left out of a flow that sends records, and the others of the batch
// go in the form that theirs gives them.
func TestOnePersonsLawNarrowsNobodyElse(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		const support = "call_troubleshooting"
		r.say = consent.New(sqlstore.Consents{})
		n := r.open(nil).run()
		if _, err := n.runner.Do(t.Context(), operator, flow.Order{Flow: support, Verb: flow.Start}); err != nil {
			t.Fatal(err)
		}
		call := func(number, from, to string) {
			n.bring(fmt.Sprintf(`{"id":%q,"kind":"call","service":"voice","subjects":[{"type":"phone","value":%q,"role":"sender"},{"type":"phone","value":%q,"role":"recipient"}],"data":{"from":%q,"to":%q,"call_id":"CA%s"}}`,
				number, from, to, from, to, number))
		}
		call("0", british, british)
		call("1", ann, bob)
		call("2", british, british)
		call("3", bob, british)
		r.until("the others leave", func() bool { return len(r.to.lines()) == 2 })
		for _, l := range r.to.lines() {
			if !strings.Contains(l, `"form":"pseudonymised"`) || strings.Contains(l, n.find(british).String()) {
				t.Errorf("sent %s", l)
			}
		}
		r.until("they are counted", func() bool { return n.denials(support)["form.aggregated_only"] == 3 })
	})
}
