package twilio

import (
	"fmt"
	"net/url"
	"strings"
)

// spellings returns what the vendor may have signed for a URL: it as it is, with its query and path
// escaped as the URL standard has it, and with the query decoded and escaped anew, as older systems
// of the vendor do. Source: validateRequest of the vendor's Node package, 6.2.0.
func spellings(webhookURL string) []string {
	all := ported(webhookURL)
	escaped := escape(webhookURL)
	if escaped != webhookURL {
		all = append(all, ported(escaped)...)
	}
	if legacy := requery(escaped); legacy != escaped {
		all = append(all, ported(legacy)...)
	}
	return all
}

// ported returns the URL as it is, without a port and with one; each with the slash that a URL
// without a path has on the wire.
func ported(webhookURL string) (all []string) {
	scheme, rest, ok := strings.Cut(webhookURL, "://")
	if !ok {
		return []string{webhookURL}
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, path := rest[:end], rest[end:]
	host, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexAny(authority, "]@") {
		host, port = authority[:i], authority[i:]
	}
	with := []string{port, ""}
	if port == "" {
		with = []string{"", map[bool]string{true: ":443", false: ":80"}[strings.EqualFold(scheme, "https")]}
	}
	for _, port := range with {
		all = append(all, scheme+"://"+host+port+path)
		if !strings.HasPrefix(path, "/") {
			all = append(all, scheme+"://"+host+port+"/"+path)
		}
	}
	return all
}

// escape escapes what the URL standard does not let stand in a path, and in the query of http.
func escape(webhookURL string) string {
	path, query, has := strings.Cut(webhookURL, "?")
	path = percent(path, "\"<>`{}^")
	if !has {
		return path
	}
	return path + "?" + percent(query, "\"<>'")
}

// percent escapes the bytes of s that are in set, blanks, controls, and all that is not ASCII.
func percent(s, set string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(set, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// requery decodes the query of a URL and escapes it anew, each name with all of its values where it
// is first.
func requery(webhookURL string) string {
	path, query, has := strings.Cut(webhookURL, "?")
	if !has || query == "" {
		return webhookURL
	}
	var names []string
	values := map[string][]string{}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name = component(name)
		if _, had := values[name]; !had {
			names = append(names, name)
		}
		values[name] = append(values[name], component(value))
	}
	var parts []string
	for _, name := range names {
		for _, v := range values[name] {
			parts = append(parts, name+"="+v)
		}
	}
	return path + "?" + strings.Join(parts, "&")
}

// component decodes a part of a query, which stays as it is when it can't be, and escapes it as
// JavaScript's encodeURIComponent does.
func component(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		s = plain
	}
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if (c|0x20 >= 'a' && c|0x20 <= 'z') || (c >= '0' && c <= '9') || strings.IndexByte("-_.!~*'()", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
