package main

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
)

type settingsCmd struct {
	Show settingsShowCmd `cmd:"" help:"Show where a tenant's people are at home."`
	Set  settingsSetCmd  `cmd:"" help:"Decide where a tenant's people are at home, and whether their clear data may leave it."`
}

type settingsShowCmd struct{ owner }

// Run shows a tenant's settings.
func (c *settingsShowCmd) Run(e *env) error {
	cl, tenant, err := c.open(e)
	if err != nil {
		return err
	}
	s, err := cl.Settings(e.ctx, tenant)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(s) })
	}
	return e.printSettings(s)
}

type settingsSetCmd struct {
	owner
	Placement   string `help:"File with the rules, a JSON list; - is stdin." placeholder:"FILE"`
	Pin         bool   `help:"Keep the people's clear data in their region, whatever a flow, a grant or a move asks for." xor:"pin"`
	Unpin       bool   `help:"Lift the pin." xor:"pin"`
	ForPurposes bool   `help:"Let people be read for a purpose of the programme only (--for, Domicile-Purpose)." xor:"reads"`
	ForAnything bool   `help:"Let people be read without naming a purpose." xor:"reads"`
	EveryRegion bool   `help:"In every region of --up; otherwise it holds for one region alone."`
}

// Help is shown by kong.
func (settingsSetCmd) Help() string {
	return `Rules are tried in order, and the first that gives a region wins; without an answer home is where the
data is sent. What isn't given stays as it is.

  echo '[{"by":"residence","paths":["traits.address.country"],"countries":{"EEA":"ie1","US":"us1"}},
         {"by":"phone_country","countries":{"US":"us1","AU":"au1","*":"ie1"}}]' |
    domicile tenant settings set --placement - --every-region
  echo '[]' | domicile tenant settings set --placement -
  domicile tenant settings set --pin
  domicile tenant settings set --for-purposes

Countries are ISO 3166-1 alpha-2 codes, EU, EEA, or * for all others; the closest counts. Give every region
the same rules: each refuses whose home is elsewhere by its own. docs/residency.md says more.`
}

// Run changes a tenant's settings.
func (c *settingsSetCmd) Run(e *env) error {
	n, err := c.change(e)
	if err != nil {
		return err
	}
	regions := []string{c.Region}
	if c.EveryRegion {
		if regions, err = c.regions(); err != nil {
			return err
		}
	}
	all := map[string]client.ChangedSettings{}
	for _, c.Region = range regions {
		cl, tenant, err := c.open(e)
		if err != nil {
			return err
		}
		s, err := cl.SetSettings(e.ctx, tenant, n)
		if err != nil {
			if len(all) > 0 {
				e.say("done before it failed in %s: %s", c.Region, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
			}
			return err
		}
		all[c.Region] = s
		if e.json {
			continue
		}
		if err := e.facts("region", c.Region, "ledger entry", s.Ledger.Entry); err != nil {
			return err
		}
		if c.Region == regions[len(regions)-1] {
			if err := e.printSettings(s.Settings); err != nil {
				return err
			}
		}
	}
	switch {
	case !e.json:
		return nil
	case c.EveryRegion:
		return e.printJSON(map[string]any{"regions": all})
	}
	return e.printJSON(all[regions[0]])
}

// change is what the call asks for.
func (c *settingsSetCmd) change(e *env) (n client.SettingsChange, err error) {
	if c.Pin || c.Unpin {
		n.Pin = &c.Pin
	}
	if c.ForPurposes || c.ForAnything {
		n.ForPurposes = &c.ForPurposes
	}
	if c.Placement != "" {
		if n.Placement, err = readRules(e, c.Placement); err != nil {
			return n, err
		}
	}
	if n.Pin == nil && n.Placement == nil && n.ForPurposes == nil {
		return n, fault.New(fault.Invalid, "call.invalid", "nothing is to change").WithHint("give --placement FILE, --pin, --unpin, --for-purposes or --for-anything")
	}
	return n, nil
}

// regions are those of --up.
func (n *node) regions() (ids []string, err error) {
	dir, err := n.dir()
	if err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, fault.New(fault.Invalid, "call.invalid", "--every-region goes with --up: DOMICILE_URL names one node")
	}
	up, err := client.ReadUp(dir)
	if err != nil {
		return nil, err
	}
	for _, r := range up.Regions {
		ids = append(ids, r.ID)
	}
	return ids, nil
}

// readRules reads a JSON list of rules from a file, or from stdin when it is "-".
func readRules(e *env, file string) (json.RawMessage, error) {
	in := e.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fault.New(fault.Invalid, "settings.unreadable", "the file of rules can't be read").Because(err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxStdin+1))
	if err != nil || len(b) > maxStdin {
		return nil, fault.New(fault.Invalid, "settings.unreadable", "the rules can't be read, or have more than %d bytes", maxStdin).Because(err)
	}
	var rules []client.PlacementRule
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&rules); err != nil || d.More() || rules == nil {
		return nil, fault.New(fault.Invalid, "settings.bad_json", "the rules are no JSON list of rules").
			WithHint(`as in: [{"by":"phone_country","countries":{"US":"us1"}}]; a rule has by, paths and countries`)
	}
	return json.Marshal(rules)
}

// printSettings writes a rule a line.
func (e *env) printSettings(s client.Settings) error {
	pin := "no"
	if s.Pin {
		pin = "yes"
	}
	reads := ""
	if s.ForPurposes {
		reads = "for a purpose of the programme only"
	}
	if err := e.facts("pinned", pin, "people are read", reads); err != nil {
		return err
	}
	rows := [][]string{{"PLACEMENT", "COUNTRIES", "PATHS"}}
	for _, r := range s.Placement {
		var to []string
		for _, c := range slices.Sorted(maps.Keys(r.Countries)) {
			to = append(to, c+"→"+r.Countries[c])
		}
		rows = append(rows, []string{r.By, strings.Join(to, " "), strings.Join(r.Paths, " ")})
	}
	if len(s.Placement) == 0 || s.Placement[len(s.Placement)-1].By != "source" {
		rows = append(rows, []string{"source", "(without another answer)"})
	}
	return e.table(rows...)
}
