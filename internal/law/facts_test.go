package law_test

import (
	"slices"
	"strings"
	"testing"

	"domicile.dev/internal/law"
)

// What the research of 22 November 2026 found, row by row, and no better known than it was found.
// days are "from..until", either left out; countries "" are any.
var eea = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK"

func TestEachRuleIsWhatWasFound(t *testing.T) {
	found := map[string]struct{ mark, days, countries, rest string }{
		"eu-within":               {"S", "..", eea, ""},
		"eu-adequacy":             {"S", "..", "AD AR CH FO GG IM JE NZ UY", ""},
		"eu-adequacy-ca":          {"S", "..", "CA", "pipeda"},
		"eu-adequacy-il":          {"S", "..", "IL", "automated"},
		"eu-adequacy-jp":          {"S", "..", "JP", "appi"},
		"eu-adequacy-kr":          {"S", "..", "KR", "pipa review 2030-07-23"},
		"eu-adequacy-gb":          {"S", "2025-12-19..2031-12-27", "GB", ""},
		"eu-adequacy-br":          {"S", "2026-01-26..", "BR", "lgpd review 2030-01-26"},
		"eu-us-dpf":               {"S", "2023-07-10..", "US", "eu-us check 31 fallback"},
		"eu-bcr-c":                {"S", "..", "", "bcr-c controller tia"},
		"eu-bcr-p":                {"S", "..", "", "bcr-p processor tia"},
		"eu-scc":                  {"S", "..", "", "tia"},
		"eu-art49":                {"S", "..", "", ""},
		"eu-anonymous":            {"M", "..", "", ""},
		"gb-within":               {"S", "..", "GB", ""},
		"gb-adequacy-eea":         {"S", "..", eea, ""},
		"gb-adequacy":             {"S", "..", "AD AR CH GG GI IL IM JE NZ UY", ""},
		"gb-adequacy-fo":          {"M", "..", "FO", ""},
		"gb-adequacy-ca":          {"S", "..", "CA", "pipeda"},
		"gb-adequacy-jp":          {"S", "..", "JP", "appi"},
		"gb-adequacy-kr":          {"S", "2022-12-19..", "KR", ""},
		"uk-extension":            {"S", "2023-10-12..", "US", "uk-extension on eu-us stands on eu-us-dpf check 31 fallback"},
		"gb-bcr-c-before":         {"S", "..2026-02-04", "", "bcr-c controller tia"},
		"gb-bcr-c":                {"S", "2026-02-05..", "", "bcr-c controller tia protection_test"},
		"gb-bcr-p-before":         {"M", "..2026-02-04", "", "bcr-p processor tia"},
		"gb-bcr-p":                {"M", "2026-02-05..", "", "bcr-p processor tia protection_test"},
		"gb-addendum-2022":        {"S", "2022-02-02..2026-02-04", "", "tia addendum"},
		"gb-addendum":             {"S", "2026-02-05..", "", "tia addendum protection_test"},
		"gb-idta-2022":            {"S", "2022-02-02..2026-02-04", "", "tia"},
		"gb-idta":                 {"S", "2026-02-05..", "", "tia protection_test"},
		"gb-art49":                {"S", "..", "", ""},
		"gb-anonymous":            {"M", "..", "", ""},
		"ch-within":               {"S", "..", "CH", ""},
		"ch-adequacy":             {"S", "..", "AD AR AT BE BG CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IL IM IS IT JE LI LT LU LV MC MT NL NO NZ PL PT RO SE SI SK UY", ""},
		"ch-adequacy-ca":          {"M", "..", "CA", "pipeda"}, // that the ordinance limits it is from memory
		"swiss-us-dpf":            {"S", "2024-09-15..", "US", "swiss-us check 31 fallback"},
		"ch-bcr-c":                {"M", "..", "", "bcr-c controller tia"},
		"ch-bcr-p":                {"M", "..", "", "bcr-p processor tia"},
		"ch-scc":                  {"S", "..", "", "tia swiss_changes"},
		"ch-art17":                {"M", "..", "", ""},
		"ch-anonymous":            {"M", "..", "", ""},
		"us-free":                 {"M", "..", "", ""},
		"us-countries-of-concern": {"M", "2025-04-08..", "CN CU HK IR KP MO RU VE", ""},
		"us-anonymous":            {"M", "..", "", ""},
		"br-within":               {"S", "..", "BR", ""},
		"br-adequacy":             {"S", "2026-01-26..", eea, ""},
		"br-scc":                  {"M", "2024-08-23..", "", ""}, // the first day is from memory
		"br-anonymous":            {"M", "..", "", ""},
		"sg-within":               {"S", "..", "SG", ""},
		"sg-certified-processor":  {"S", "2026-03-02..", "JP KR SG TW US", "for processor apec_cbpr apec_prp global_cbpr global_prp check 30"}, // the territories are secondary
		"sg-certified":            {"S", "2026-03-02..", "JP KR SG TW US", "for controller apec_cbpr global_cbpr check 30"},
		"sg-contract":             {"S", "..", "", ""},
		"sg-anonymous":            {"M", "..", "", ""},
		"jp-within":               {"S", "..", "JP", ""},
		"jp-designated":           {"S", "..", eea + " GB", ""},
		"jp-cbpr":                 {"S", "..", "", "apec_cbpr check 30"},
		"jp-contract":             {"M", "..", "", ""},
		"jp-anonymous":            {"M", "..", "", ""},
		"kr-within":               {"S", "..", "KR", ""},
		"kr-equivalent":           {"S", "2025-09-16..", eea, "kr_no_resident_numbers_or_credit_data"},
		"kr-anonymous":            {"M", "..", "", ""},
		"au-within":               {"M", "..", "AU", ""},
		"au-contract":             {"M", "..", "", ""},
		"au-anonymous":            {"M", "..", "", ""},
		"ca-within":               {"M", "..", "CA", ""},
		"ca-contract":             {"M", "..", "", "tia"},
		"ca-anonymous":            {"M", "..", "", ""},
		"ph-within":               {"M", "..", "PH", ""},
		"ph-contract":             {"M", "..", "", ""},
		"ph-anonymous":            {"M", "..", "", ""},
		"tw-within":               {"M", "..", "TW", ""},
		"tw-contract":             {"M", "..", "", ""},
		"tw-anonymous":            {"M", "..", "", ""},
		"bm-within":               {"P", "..", "BM", ""},
		"bm-cbpr":                 {"P", "2025-01-01..", "", "apec_cbpr check 30"},
		"bm-contract":             {"M", "2025-01-01..", "", ""}, // that a contract is enough was not read
		"bm-anonymous":            {"M", "..", "", ""},
	}
	seen := 0
	for _, p := range law.Builtin().Profiles() {
		for i := range p.Rules {
			r := &p.Rules[i]
			seen++
			want, ok := found[r.ID]
			if !ok {
				t.Errorf("%s: nobody found that", r.ID)
				continue
			}
			countries := slices.Sorted(slices.Values(r.Countries))
			wanted := strings.Fields(want.countries)
			slices.Sort(wanted)
			if days := string(r.From) + ".." + string(r.Until); r.Mark != want.mark || days != want.days || !slices.Equal(countries, wanted) || rest(r) != want.rest {
				t.Errorf("%s: %s %s %v %q\nwant %s %s %s %q", r.ID, r.Mark, days, countries, rest(r), want.mark, want.days, want.countries, want.rest)
			}
		}
	}
	if seen != len(found) {
		t.Errorf("%d rules, want %d", seen, len(found))
	}
}

// rest is what else a rule asks, in words.
func rest(r *law.Rule) string {
	var out []string
	add := func(word, value string) {
		if value != "" {
			out = append(out, strings.TrimSpace(word+" "+value))
		}
	}
	add("", r.Limit)
	add("", r.Row)
	add("on", r.BaseRow)
	add("stands on", r.StandsOn)
	add("", r.Scheme)
	add("", r.Role)
	add("for", r.For)
	out = append(out, slices.Sorted(slices.Values(r.Schemes))...)
	out = append(out, r.Needs...)
	if r.CheckDays > 0 {
		add("check", map[int]string{30: "30", 31: "31"}[r.CheckDays])
	}
	if r.FallbackWanted {
		out = append(out, "fallback")
	}
	add("review", string(r.Review))
	return strings.Join(out, " ")
}

// A profile is known no better than its worst rule of the rows that were marked by memory.
func TestProfilesAreMarkedByTheirWeakestRow(t *testing.T) {
	for id, mark := range map[string]string{"eu": "S", "gb": "S", "ch": "S", "us": "M", "br": "S", "sg": "S", "jp": "M", "kr": "S", "au": "M", "ca": "M", "ph": "M", "tw": "M", "bm": "P"} {
		i := slices.IndexFunc(law.Builtin().Profiles(), func(p *law.Profile) bool { return p.ID == id })
		if i < 0 || law.Builtin().Profiles()[i].Mark != mark {
			t.Errorf("%s is not there or not marked %s", id, mark)
		}
	}
	if n := len(law.Builtin().Profiles()); n != 13 {
		t.Errorf("%d profiles", n)
	}
}
