package main

import (
	"strconv"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/programme"
)

type programmeDueCmd struct {
	Dir    string `arg:"" optional:"" help:"The programme's folder; the built-in example when it is left out."`
	Within int    `help:"Also what is due within so many days." default:"30" placeholder:"DAYS"`
	On     string `help:"As of this day instead of today." placeholder:"YYYY-MM-DD"`
}

// Help is shown by kong.
func (programmeDueCmd) Help() string {
	return `Renewals of certificates, updates of the regional plan, reviews of the list of sub-processors and of controls,
looks at links, and transfers to assess anew. What a region observed, and what of it lapses, is domicile register due.

  domicile programme due --within 90 ./programme`
}

// dueAnswer is what `programme due --json` prints; it is a promise.
type dueAnswer struct {
	Programme string          `json:"programme"`
	On        programme.Date  `json:"on"`
	Due       []programme.Due `json:"due"`
}

// Run lists what is due. Something late is an answer, with an exit code of its own.
func (c *programmeDueCmd) Run(e *env) error {
	p, err := openProgramme(c.Dir)
	if err != nil {
		return faulty("programme", err)
	}
	today := programme.DayOf(time.Now())
	if c.On != "" {
		if _, err := time.Parse(time.DateOnly, c.On); err != nil {
			return fault.New(fault.Invalid, "call.invalid", "--on is no day").WithHint("write YYYY-MM-DD")
		}
		today = programme.FirstDay(programme.Date(c.On))
	}
	a := dueAnswer{Programme: p.Hash, On: today.Date(), Due: p.Calendar(today, c.Within)}
	if e.json {
		err = printJSON(e.out, a)
	} else {
		rows := [][]string{{"ON", "DAYS", "WHAT", "ID", "LAST", "OWNER"}}
		for _, d := range a.Due {
			rows = append(rows, []string{string(d.On), strconv.Itoa(d.Days), d.What, d.ID, d.Last, d.Owner})
		}
		err = e.table(rows...)
	}
	if err != nil {
		return err
	}
	for _, d := range a.Due {
		if d.Days < 1 {
			return &exitError{code: exitBad}
		}
	}
	return nil
}
