package notice

import (
	"html/template"
	"regexp"
)

// addresses are those of the web and of pages of the centre: alone, or in brackets behind what they are of.
var (
	address     = regexp.MustCompile(`^(https?://|/privacy/)[^\s()<>"]+$`)
	ofAnAddress = regexp.MustCompile(`^(.+) \(((?:https?://|/privacy/)[^\s()<>"]+)\)(.*)$`)
)

// linked writes a value of a fact for HTML; where it is an address, or something with one, as a link.
func linked(value string) template.HTML {
	esc := template.HTMLEscapeString
	if address.MatchString(value) {
		return template.HTML(`<a href="` + esc(value) + `">` + esc(value) + `</a>`)
	}
	if m := ofAnAddress.FindStringSubmatch(value); m != nil {
		return template.HTML(`<a href="` + esc(m[2]) + `">` + esc(m[1]) + `</a>` + esc(m[3]))
	}
	return template.HTML(esc(value))
}
