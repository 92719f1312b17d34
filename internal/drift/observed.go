package drift

import (
	"fmt"
	"slices"
	"time"
)

// collected finds records whose kind or category isn't declared: they came in under another
// programme, or the notice is behind the data path.
func (p *paper) collected(all []Collected) (found []Finding) {
	gone := map[[3]string]bool{}
	for _, c := range all {
		f := Finding{Service: c.Service, Kind: c.Kind, Tenant: c.Tenant, Count: c.Count, FirstAt: stamp(c.FirstAt), LastAt: stamp(c.LastAt)}
		switch {
		case p.running.Kind(c.Service, c.Kind) == nil:
			if key := [3]string{c.Tenant, c.Service, c.Kind}; gone[key] {
				continue
			} else {
				gone[key] = true
			}
			f.Code, f.Says = Kind, fmt.Sprintf("records %s of %s were collected, a kind that the programme doesn't declare", c.Kind, c.Service)
			f.Hint = "declare the kind, or erase what was collected"
		case !p.lists(c.Category):
			f.Code, f.Category = Category, c.Category
			f.Says = fmt.Sprintf("records %s of %s were collected with the category %s, which the published notice doesn't list", c.Kind, c.Service, c.Category)
			f.Hint = "publish a notice that lists the category"
		default:
			continue
		}
		found = append(found, f)
	}
	return found
}

// unmapped are the elements that nothing declares.
func unmapped(all []Unmapped) (found []Finding) {
	for _, u := range all {
		found = append(found, Finding{Code: Element, Service: u.Service, Kind: u.Kind, Path: u.Path, Tenant: u.Tenant, Source: u.Source, Count: u.Count,
			FirstAt: stamp(u.FirstAt), LastAt: stamp(u.LastAt),
			Says: fmt.Sprintf("records %s of %s hold %s, which the programme doesn't map: it is kept as unclassified, and never leaves", u.Kind, u.Service, u.Path),
			Hint: "map it to a category that the notice lists, publish one that does, or stop sending it"})
	}
	return found
}

// disclosed finds what was sent that isn't published, such as before a notice was taken back.
func (p *paper) disclosed(all []Disclosed) (found []Finding) {
	for _, d := range all {
		f := Finding{Flow: d.Flow, Tenant: d.Tenant, Recipient: d.Recipient, Purpose: d.Purpose, Count: d.Count, FirstAt: stamp(d.FirstAt), LastAt: stamp(d.LastAt)}
		if p.published.Recipient(d.Recipient) == nil {
			g := f
			g.Code, g.Says = Recipient, fmt.Sprintf("the flow %s sent to %s, whom the published list doesn't name", d.Flow, d.Recipient)
			found = append(found, g)
		}
		if p.published.Purpose(d.Purpose) == nil {
			g := f
			g.Code, g.Says = Purpose, fmt.Sprintf("the flow %s sent for %s, which the published notice doesn't name", d.Flow, d.Purpose)
			found = append(found, g)
		}
		for _, c := range d.Categories {
			if !p.lists(c) {
				g := f
				g.Code, g.Category, g.Says = Category, c, fmt.Sprintf("the flow %s sent the category %s, which the published notice doesn't list", d.Flow, c)
				found = append(found, g)
			}
		}
	}
	return found
}

func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	u := t.UTC().Truncate(time.Millisecond)
	return &u
}

// Codes returns the codes of findings, each once.
func Codes(all []Finding) (codes []string) {
	for _, f := range all {
		if !slices.Contains(codes, f.Code) {
			codes = append(codes, f.Code)
		}
	}
	return codes
}
