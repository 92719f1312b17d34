package notice_test

import (
	"strings"
	"testing"

	"domicile.dev/internal/notice"
)

// Around the tables, too, every text of the facts is on its page, but for what is listed here.
func TestEveryTextAroundTheTablesIsOnThePage(t *testing.T) {
	parts := []string{"personal_data_definition", "data_subject_types", "relationships", "roles", "exclusions", "minimisation_promise", "disclosure_triggers", "deidentified_data",
		"us_supplemental_disclosure", "security", "retention", "exercise", "verification", "authorized_agents", "limitations", "processor_requests", "cpni_choice",
		"children", "cookies", "automated_decision_making", "product_privacy", "service_notices", "complaints", "changes", "data_management_tools", "data_management_depends_on", "documentation_hub"}
	// Names are written otherwise on the page (UK as GB), or say where a text stands.
	unsaid := []string{"id", "category", "processor_categories", "located_in", "via"}
	said := map[string]string{ // in other words
		"requests the tools cannot do":                             "privacy email",
		"via customer support; permanent loss of access":           "permanent loss of access",
		"for customers in countries that require that information": "countries that require that information",
	}
	for _, ed := range editions {
		t.Run(ed.facts, func(t *testing.T) {
			f := factsOf(t, ed.facts)
			page, err := notice.New(load(t, ed.from())).HTML()
			if err != nil {
				t.Fatal(err)
			}
			text, n := plainText(t, page), 0
			for _, part := range parts {
				leaves(f[part], part, unsaid, func(at, v string) {
					n++
					if other, ok := said[v]; ok {
						v = other
					}
					if !strings.Contains(text, strings.ToLower(notice.Words(v))) && !strings.Contains(text, strings.ToLower(v)) {
						t.Errorf("%s: %q is not on the page", at, v)
					}
				})
			}
			if n < 80 {
				t.Errorf("only %d texts were looked for", n)
			}
		})
	}
}
