package centre

import (
	"domicile.dev/internal/notice"
	"domicile.dev/internal/programme"
)

// morePages are further ones that Options.Live may have, in order. The index leads to them. They are in the language
// of the programme alone.
var morePages = []notice.Link{{Path: "/privacy/assurance", Name: "Assurance"}, {Path: "/privacy/controls", Name: "Controls and measures"},
	{Path: "/privacy/transfers", Name: "Transfers and authorities"}, {Path: "/privacy/documents", Name: "Documents"}}

// more adds those that there are.
func (c *Centre) more() (index []item) {
	for _, l := range morePages {
		if make := c.opt.Live[l.Path]; make != nil {
			c.putLive(l.Path, languages(c.languages).own, make)
			index = append(index, named(l.Path, l.Name))
		}
	}
	return index
}

// moved are the paths of documents that were retired, each with the address of what stands in its place
// now: the last of its row of successors.
func moved(p *programme.Programme) map[string]string {
	out := map[string]string{}
	for i := range p.Documents {
		x := &p.Documents[i]
		if x.Path == "" || x.Retired == "" {
			continue
		}
		for y := p.Document(x.Successor); y != nil; y = p.Document(y.Successor) { // a checked programme has no rings
			if to := y.Path; y.Retired == "" && to != "" {
				out[x.Path] = to
			} else if y.URL != "" {
				out[x.Path] = y.URL
			}
		}
	}
	return out
}
