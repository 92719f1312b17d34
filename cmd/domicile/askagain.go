package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"domicile.dev/internal/client"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/publish"
)

type askAgainCmd struct {
	node
	Purpose string `help:"Only consents to this purpose." placeholder:"PURPOSE"`
	After   string `help:"Go on after this subject." placeholder:"SUBJECT"`
	Limit   int    `help:"People at most; 0 is all." default:"0" placeholder:"N"`
}

// Run lists the consents that have to be asked for again.
func (c *askAgainCmd) Run(e *env) error {
	cl, err := c.tenant()
	if err != nil {
		return err
	}
	all, people := []client.ConsentToAsk{}, 0
	for after := c.After; ; {
		page, next, err := cl.ConsentsToAsk(e.ctx, c.Purpose, after, min(c.Limit-people, 1000)) // 0 or less is the server's own
		if err != nil {
			return err
		}
		for i := range page {
			if i == 0 || page[i].Subject != page[i-1].Subject {
				people++
			}
		}
		all = append(all, page...)
		if after = next; next == "" || c.Limit > 0 && people >= c.Limit {
			break
		}
	}
	if e.json {
		return e.printJSON(all)
	}
	rows := [][]string{{"SUBJECT", "PURPOSE", "GIVEN", "CHANGED BY", "COUNTS UNTIL"}}
	for _, x := range all {
		until := "counts no more, since " + x.AskAgain.From
		if x.Counts {
			until = "before " + x.AskAgain.From
		}
		rows = append(rows, []string{x.Subject, x.Purpose, clock(x.At), x.AskAgain.Version, until})
	}
	return e.table(rows...)
}

// askedRows are counts of consents, for a table.
func askedRows(all []client.ConsentCount) [][]string {
	rows := [][]string{{"CONSENTS TO", "COUNT", "TO ASK AGAIN", "OUTDATED"}}
	for _, n := range all {
		rows = append(rows, []string{n.Purpose, strconv.FormatInt(n.Current, 10), strconv.FormatInt(n.ToAsk, 10), strconv.FormatInt(n.Outdated, 10)})
	}
	return rows
}

// falling is what the publication of a programme does to the consents to a purpose.
type falling struct {
	Purpose  string `json:"purpose"`
	Region   string `json:"region,omitempty"` // "" where none was asked
	Consents int64  `json:"consents"`         // that count now
}

// falls says which consents a publication of a programme after another one makes be asked for again, and with what
// the regions count, how many there are of each.
func falls(was, is *programme.Programme, counts map[string][]client.ConsentCount) (out []falling) {
	if was == nil {
		return nil
	}
	for _, purpose := range publish.WouldAskAgain(was, is) {
		if len(counts) == 0 {
			out = append(out, falling{Purpose: purpose})
		}
		for region, all := range counts {
			x := falling{Purpose: purpose, Region: region}
			for _, n := range all {
				if n.Purpose == purpose {
					x.Consents = n.Current + n.ToAsk
				}
			}
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b falling) int {
		return strings.Compare(a.Purpose+"\x00"+a.Region, b.Purpose+"\x00"+b.Region)
	})
	return out
}

// says is a falling as a line.
func (x *falling) says() string {
	if x.Region == "" {
		return fmt.Sprintf("consents to %s have to be asked for again when this is published", x.Purpose)
	}
	return fmt.Sprintf("%d consents to %s in %s have to be asked for again when this is published", x.Consents, x.Purpose, x.Region)
}
