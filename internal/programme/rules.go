package programme

import (
	"fmt"
	"maps"
	"net/mail"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// rules is the parsed `is` tag of a field. On a list or a map the value rules hold for each
// element, on a map's keys only `keys` and `ids` do.
//
//	required         the key must be given, and not be empty
//	scalar           a bare scalar in place of the mapping is this field
//	id               a word, unique in its list;  id=NS  unique in the programme, and ref'able
//	ref=NS[,x…]      an id of the name space NS, or one of the words x
//	ids=NS           a map whose keys are the ids of NS
//	keys=FORM        a map whose keys have that form
//	enum=a,b         one of these
//	const=a          this
//	min=N            a whole number of at least N
//	word country jurisdiction language email url path fideslang   forms of text, see forms
type rules struct {
	required, scalar, id bool
	ns                   string
	ref, enum            []string
	keys, keyIDs         string
	constant             string
	min                  *int
	form                 string
}

var ruleCache sync.Map // string → rules

func parseRules(tag string) rules {
	if r, ok := ruleCache.Load(tag); ok {
		return r.(rules)
	}
	var r rules
	for _, part := range strings.Split(tag, ";") {
		name, arg, _ := strings.Cut(part, "=")
		switch name {
		case "":
		case "required":
			r.required = true
		case "scalar":
			r.scalar = true
		case "id":
			r.id, r.ns = true, arg
		case "ref":
			r.ref = strings.Split(arg, ",")
		case "enum":
			r.enum = strings.Split(arg, ",")
		case "const":
			r.constant = arg
		case "keys":
			r.keys = arg
		case "ids":
			r.keyIDs = arg
		case "min":
			n := 0
			_, _ = fmt.Sscan(arg, &n)
			r.min = &n
		default:
			if _, ok := forms[name]; !ok {
				panic("programme: unknown rule " + part) // a mistake in a struct tag of this package
			}
			r.form = name
		}
	}
	ruleCache.Store(tag, r)
	return r
}

// form is a form of text: how it is checked, what to say, and its JSON Schema.
type form struct {
	ok      func(string) bool
	says    string
	hint    func(string) string
	pattern string // for the schema; "" where it can't say
	format  string // for the schema
}

const (
	typePattern      = `^[a-z][a-z0-9_]{0,31}$`
	wordPattern      = `^[a-z0-9][a-z0-9_.-]{0,63}$`
	pathPattern      = `^(\*|[A-Za-z0-9_$@-]+)(\.(\*|[A-Za-z0-9_$@-]+)){0,15}$`
	fideslangPattern = `^(user|system)(\.[a-z_]+){0,3}$`
	languagePattern  = `^[a-z]{2,3}(-[A-Z]{2})?$`
	datePattern      = `^\d{4}-\d{2}-\d{2}$`
)

var forms = map[string]form{
	"word": {ok: matches(wordPattern), says: "lower-case letters, digits, dots, dashes and underscores", pattern: wordPattern,
		hint: func(s string) string { return rewrite(s, fold(s), matches(wordPattern)) }},
	"identifier": {ok: matches(typePattern), says: "a type of identifier: lower-case letters, digits and underscores", pattern: typePattern,
		hint: func(s string) string { return rewrite(s, strings.ReplaceAll(fold(s), "-", "_"), matches(typePattern)) }},
	"path": {ok: isPath, says: "a path: keys joined by dots, * for any one key", pattern: pathPattern,
		hint: func(s string) string { return rewrite(s, strings.TrimPrefix(s, "$."), isPath) }},
	"country": {ok: isCountry, says: "an ISO 3166-1 alpha-2 country code", pattern: `^[A-Z]{2}$`, hint: countryHint},
	"jurisdiction": {ok: IsJurisdiction, pattern: `^([A-Z]{2}|EEA)$`,
		says: "an ISO 3166-1 alpha-2 country code, EU or EEA", hint: countryHint},
	"language":  {ok: matches(languagePattern), says: "a language code such as en or pt-BR", pattern: languagePattern},
	"fideslang": {ok: matches(fideslangPattern), says: "a Fideslang key such as user.contact.email", pattern: fideslangPattern},
	"email":     {ok: isEmail, says: "an e-mail address", format: "email"},
	"url":       {ok: isURL, says: "an https address", format: "uri", hint: urlHint},
}

var pathForm = regexp.MustCompile(pathPattern)

// isPath refuses JSONPath's root, which would name a key called "$".
func isPath(s string) bool { return pathForm.MatchString(s) && !strings.HasPrefix(s, "$.") }

func matches(pattern string) func(string) bool { return regexp.MustCompile(pattern).MatchString }

// rewrite suggests better in place of s when that would do.
func rewrite(s, better string, ok func(string) bool) string {
	if better != s && ok(better) {
		return fmt.Sprintf("write %q", better)
	}
	return ""
}

func isEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && strings.Contains(s[strings.LastIndexByte(s, '@'):], ".")
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && !strings.ContainsAny(s, " \t\n")
}

func urlHint(s string) string {
	for _, better := range []string{"https://" + strings.TrimPrefix(s, "http://"), "https://" + s} {
		if isURL(better) && strings.Contains(better, ".") {
			return fmt.Sprintf("write %q", better)
		}
	}
	return ""
}

// scalar checks one value of the right type against r and reports what is wrong.
func (d *decoder) scalar(n *node, s string, r rules) {
	switch {
	case r.constant != "" && s != r.constant:
		d.fault(n, CodeBadValue, fmt.Sprintf("%s is not %s", quote(s), quote(r.constant)), "this version reads "+r.constant+" only")
	case r.enum != nil && !slices.Contains(r.enum, s):
		d.fault(n, CodeBadValue, fmt.Sprintf("%s is not a value of %s", quote(s), lastKey(n.path)), suggest(s, r.enum))
	case r.form != "":
		d.form(n, s, r.form)
	}
	if r.id {
		d.declare(n, s, r.ns)
	}
	if r.ref != nil && !slices.Contains(r.ref[1:], s) {
		d.refs = append(d.refs, reference{n, s, r.ref})
	}
}

func (d *decoder) form(n *node, s, name string) {
	f := forms[name]
	if f.ok(s) {
		return
	}
	hint := ""
	if f.hint != nil {
		hint = f.hint(s)
	}
	d.fault(n, CodeBadValue, fmt.Sprintf("%s is not %s", quote(s), f.says), hint)
}

// declare enters an id in its name space; without one, in that of its list.
func (d *decoder) declare(n *node, s, ns string) {
	if !forms["word"].ok(s) {
		d.form(n, s, "word")
		return
	}
	if ns == "" {
		ns = "in " + listOf(n.path)
	}
	if d.ids[ns] == nil {
		d.ids[ns] = map[string]*node{}
	}
	if first := d.ids[ns][s]; first != nil {
		d.fault(n, CodeDuplicate, fmt.Sprintf("the id %s is declared twice, first at %s:%d", quote(s), first.file, first.line), "rename or remove one of them")
		return
	}
	d.ids[ns][s] = n
}

// reference is an id that must be declared somewhere.
type reference struct {
	at  *node
	id  string
	ref []string // name space, then words that need no declaration
}

// resolve reports every reference to what isn't declared.
func (d *decoder) resolve() {
	incomplete := slices.ContainsFunc(d.faults, func(f Fault) bool { return f.Code == CodeMissing })
	for _, r := range d.refs {
		ns := d.ids[r.ref[0]]
		if ns[r.id] != nil || len(ns) == 0 && incomplete { // one missing section is one fault
			continue
		}
		all := append(slices.Sorted(maps.Keys(ns)), r.ref[1:]...)
		d.fault(r.at, CodeUnknownRef, fmt.Sprintf("%s is not declared in %s", quote(r.id), strings.ReplaceAll(r.ref[0], "_", " ")), suggest(r.id, all))
	}
}

// listOf is the path of the list whose item holds the id at path: "a[x].id" gives "a".
func listOf(path string) string {
	if i := strings.LastIndexByte(path, '['); i >= 0 {
		return path[:i]
	}
	return path
}

func lastKey(path string) string {
	path, _, _ = strings.Cut(path[strings.LastIndexByte(path, '.')+1:], "[")
	return path
}

// text sets v, of a string type, from s after the checks of its own type.
func (d *decoder) text(n *node, v reflect.Value, s string, r rules) {
	switch v.Type() {
	case reflect.TypeFor[Date]():
		if _, err := time.Parse(time.DateOnly, s); err != nil {
			d.fault(n, CodeBadValue, quote(s)+" is not a date", "write YYYY-MM-DD")
		}
	case reflect.TypeFor[When]():
		if !validWhen(s) {
			d.fault(n, CodeBadValue, quote(s)+" is not a time", "write 2021-11-30, 2021-11, 2021-Q4, 2022-H1 or 2021")
		}
	}
	if strings.TrimSpace(s) == "" {
		d.fault(n, CodeBadValue, lastKey(n.path)+" is empty", "give it a value or leave the key out")
		return
	}
	d.scalar(n, s, r)
	v.SetString(s)
}
