package api_test

import (
	"strings"
	"testing"

	"domicile.dev/internal/fault"
)

// Whoever is not found by a type that isn't built in reads which types are, and how others come to be.
func TestWhoIsNotFoundByAnotherTypeIsToldTheTypes(t *testing.T) {
	w := newWorld(t)
	w.plane.fail = fault.New(fault.NotFound, "subject.unknown", "nobody here has these identifiers").WithHint("ask the others, too")
	for body, told := range map[string]string{
		`{"identifiers":[{"type":"email","value":"a@b.c"},{"type":"e_mail","value":"a@b.c"}]}`: "identifiers[1] is of none of the types email, phone,",
		`{"identifiers":[{"type":"loyalty_card","value":"7"}]}`:                                "identifiers[0] is of none",
		`{"identifiers":[{"type":"email","value":"a@b.c"}]}`:                                   "",
	} {
		r := w.do("POST", "/api/v1/subjects:find", body)
		hint, _ := r.json(t)["hint"].(string)
		if r.status != 404 || !strings.HasPrefix(hint, "ask the others, too") || !strings.Contains(hint, told) || (told == "") != (hint == "ask the others, too") {
			t.Errorf("%s: %d, hint %q, want %q in it", body, r.status, hint, told)
		}
		if strings.Contains(hint, "loyalty") || strings.Contains(hint, "e_mail") {
			t.Errorf("the hint repeats what was sent: %q", hint)
		}
	}
}
