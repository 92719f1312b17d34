package ingest_test

import (
	"slices"
	"strings"
	"testing"

	"domicile.dev/internal/ingest"
)

func TestUnmappedNamesWhatNoRuleHas(t *testing.T) {
	k, err := ingest.Compile("cdp", "track", []ingest.Rule{{Path: "type", Category: "a"}, {Path: "context.ip", Category: "b"},
		{Path: "context.*.id", Category: "b"}, {Path: "properties", Category: "c"}})
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		`{}`:                                      "",
		`{"blood":"A"}`:                           "blood",
		`{"blood":{"type":"A"}}`:                  "blood",
		`{"context":{"mood":1,"net":{"x":1}}}`:    "context.mood context.net.x", // any name leads on to an id
		`{"context":[1]}`:                         "context",
		`{"properties":{"b":1,"c":{"d":1}}}`:      "properties.b properties.c", // a plan set them aside
		`{"properties":[{"d":1}]}`:                "properties",
		`{"a\u0041":1}`:                           "aA",
		`{"a":1,`:                                 "a", // as far as it goes
		`{"type":"x","properties":{},"other":{}}`: "type other",
	} {
		var got []string
		k.Unmapped([]byte(in), func(path string) { got = append(got, path) })
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %q, want %q", in, s, want)
		}
	}
	var many []string
	k.Unmapped([]byte(`{"x0":1`+strings.Repeat(`,"x`+`1":1`, 100)+`}`), func(path string) { many = append(many, path) })
	if len(many) != 32 {
		t.Errorf("%d paths, want 32 at most", len(many))
	}
	if slices.Contains(many, "") {
		t.Error("an empty path")
	}
}

func TestFieldPathMasksWhatIsNoFieldName(t *testing.T) {
	for in, want := range map[string]string{"properties.bloodType": "properties.bloodType", "a.ann@example.com": "a.*.com", "a.+353861234567": "a.*",
		"a.353861234567": "a.*", "": "*", "a..b": "a.*.b", "a.Ünal": "a.*", "_id.$set": "_id.$set", "a." + strings.Repeat("x", 65): "a.*"} {
		if got := ingest.FieldPath(in); got != want {
			t.Errorf("FieldPath(%q) = %q, want %q", in, got, want)
		}
	}
}
