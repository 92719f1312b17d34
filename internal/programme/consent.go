package programme

import (
	"fmt"
	"slices"

	"domicile.dev/internal/term"
)

// Consent says what a category stands for of which a source's SDK or vendor says yes or no.
type Consent struct {
	Adapter  string   `yaml:"adapter" is:"required;enum=segment,twilio,sendgrid" doc:"The sources' adapter."`
	Source   string   `yaml:"source" doc:"A source's name or id; all of the adapter's when left out."`
	Category string   `yaml:"category" is:"required" doc:"As the source names it: an id of the consent tool; keyword (twilio); unsubscribe, group_unsubscribe or spamreport (sendgrid)."`
	Purposes []string `yaml:"purposes" is:"ref=purposes" doc:"Purposes that are consented to or refused by it."`
	OptOuts  []string `yaml:"opt_outs" is:"enum=marketing,cpni,targeted_advertising,sale_or_sharing,gpc" doc:"What a no opts out of."`
	Note     string   `yaml:"note" doc:"Anything that a reader should know."`
}

// vendorCategories are those that adapters have of their own.
var vendorCategories = map[string][]string{
	term.AdapterTwilio:   {"keyword"},
	term.AdapterSendGrid: {"unsubscribe", "group_unsubscribe", "spamreport"},
}

func (d *decoder) checkConsents(p *Programme) {
	seen := map[[3]string]*node{}
	for i := range p.Consents {
		c := &p.Consents[i]
		n := d.at[c]
		if n == nil || !d.sound(c) {
			continue
		}
		if len(c.Purposes) == 0 && len(c.OptOuts) == 0 {
			d.contradicts(n, "category", quote(c.Category)+" stands for nothing", "give purposes, opt_outs or both")
		}
		if own := vendorCategories[c.Adapter]; own != nil && !slices.Contains(own, c.Category) {
			d.contradicts(n, "category", fmt.Sprintf("%s has no category %s", c.Adapter, quote(c.Category)), suggest(c.Category, own))
		}
		if !showable(c.Category) {
			d.fault(n.or("category"), CodeBadValue, "the name of a category is too long, or has control characters", "")
		}
		for _, id := range c.Purposes {
			if u := p.Purpose(id); u != nil && !slices.Contains(u.LegalBases, "consent") {
				d.contradicts(n, "purposes", id+" doesn't rest on consent, so nobody consents to it", "leave it to objections, or add consent to its legal_bases")
			}
		}
		key := [3]string{c.Adapter, c.Source, c.Category}
		if first := seen[key]; first != nil {
			d.fault(n.or("category"), CodeDuplicate, fmt.Sprintf("the category is mapped twice, first at %s:%d", first.file, first.line), "join the two")
		}
		seen[key] = n
	}
}
