package centre

import (
	"testing"

	"domicile.dev/internal/programme"
)

// Who asks for a retired address is sent to what stands in its place, over all successors.
func TestARetiredAddressLeadsToItsSuccessor(t *testing.T) {
	c := opened(t, func(o *Options) {
		o.Running.Documents = append(o.Running.Documents,
			programme.LegalDocument{ID: "a", Path: "/privacy/a", Retired: "2020-01-01", Successor: "b"},
			programme.LegalDocument{ID: "b", Path: "/privacy/b", Retired: "2021-01-01", Successor: "c"},
			programme.LegalDocument{ID: "c", Path: "/privacy/notice"},
			programme.LegalDocument{ID: "d", Path: "/privacy/sub-processors", Retired: "2021-01-01", Successor: "e"},
			programme.LegalDocument{ID: "e", URL: "https://www.example.com/elsewhere"},
			programme.LegalDocument{ID: "f", Path: "/privacy/f", Retired: "2021-01-01", Successor: "e"})
	})
	for path, to := range map[string]string{"/privacy/a": "/privacy/notice", "/privacy/b": "/privacy/notice", "/privacy/f": "https://www.example.com/elsewhere",
		"/privacy/support/apec-cbpr-prp": "/privacy/certifications"} {
		if w := get(c, path); w.Code != 301 || w.Header().Get("Location") != to {
			t.Errorf("%s: %d to %q, want %q", path, w.Code, w.Header().Get("Location"), to)
		}
	}
	if w := get(c, "/privacy/sub-processors"); w.Code != 200 {
		t.Errorf("a page that there is: %d", w.Code)
	}
	if w := get(c, "/privacy/nothing"); w.Code != 404 {
		t.Errorf("nothing: %d", w.Code)
	}
}
