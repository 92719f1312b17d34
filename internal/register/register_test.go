package register_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

const head = "format: domicile.register/v1\n"

func parse(t testing.TB, src string) *register.Register {
	t.Helper()
	r, err := register.Parse("r.yaml", []byte(head+src))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func on(t testing.TB, day string) programme.Day {
	t.Helper()
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		t.Fatal(err)
	}
	return programme.DayOf(at)
}

func TestAFaultyRegisterNamesLineAndColumn(t *testing.T) {
	for name, src := range map[string]string{
		"an unknown key":                  "checks:\n  - {directory: dpf, entity: E, row: eu-us, status: active, data: [hr], checked: 2026-01-01, colour: red}",
		"a look-up about no row":          "checks:\n  - {directory: dpf, entity: E, status: active, data: [hr], checked: 2026-01-01}",
		"a listing that covers nothing":   "checks:\n  - {directory: dpf, entity: E, row: eu-us, status: active, checked: 2026-01-01}",
		"a look-up about no certificate":  "checks:\n  - {directory: cbpr, entity: E, status: active, checked: 2026-01-01}",
		"a look-up of no day":             "checks:\n  - {directory: cbpr, entity: E, scheme: apec_prp, status: active}",
		"a certificate that had ended":    "checks:\n  - {directory: cbpr, entity: E, scheme: apec_prp, status: active, checked: 2026-02-01, valid_until: 2026-01-01}",
		"clauses without a module":        "contracts:\n  - {id: c, kind: scc, with: E, set: 2021/914, signed: 2026-01-01}",
		"clauses of no set":               "contracts:\n  - {id: c, kind: scc, with: E, modules: [c2p], signed: 2026-01-01}",
		"a contract that names no place":  "contracts:\n  - {id: c, kind: comparable, with: E, signed: 2026-01-01}",
		"measures that aren't named":      "assessments:\n  - {kind: tia, entity: E, country: US, outcome: proceed_with_measures, assessed: 2026-01-01, due: 2027-01-01}",
		"measures that aren't asked for":  "assessments:\n  - {kind: tia, entity: E, country: US, outcome: proceed, measures: [tls_1_3], assessed: 2026-01-01, due: 2027-01-01}",
		"an assessment without an end":    "assessments:\n  - {kind: tia, entity: E, country: US, outcome: proceed, assessed: 2026-01-01}",
		"a case without an end":           "cases:\n  - {id: c, recipient: r, ground: legal_claims, from: 2026-01-01}",
		"an announcement that ends first": "announcements:\n  - {recipient: r, announced: 2026-02-01, until: 2026-01-01}",
		"an announcement without an end":  "announcements:\n  - {recipient: r, announced: 2026-02-01}",
		"a step that doesn't exist":       "assessments:\n  - {kind: tia, entity: E, country: US, outcome: proceed, assessed: 2026-01-01, due: 2027-01-01, steps: {seventh: x}}",
		"a pin that ends first":           "pins:\n  - {tenant: t, places: [EU], from: 2026-02-01, until: 2026-01-01}",
		"a pin on no country":             "pins:\n  - {tenant: t, places: [Europe], from: 2026-02-01}",
	} {
		r, err := register.Parse("r.yaml", []byte(head+src))
		var faults programme.Faults
		if !errors.As(err, &faults) || r != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if f := faults[0]; f.File != "r.yaml" || f.Line != 3 || f.Column < 3 || f.Suggestion == "" && f.Code != programme.CodeUnknownKey && !strings.Contains(f.Message, "ends before") {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestTheLastLookUpCounts(t *testing.T) {
	r := parse(t, `checks:
  - {directory: dpf, entity: E, row: eu-us, status: active, data: [non_hr], checked: 2026-03-01}
  - {directory: dpf, entity: E, row: eu-us, status: failed, checked: 2026-02-01}
  - {directory: dpf, entity: E, row: eu-us, status: not_listed, checked: 2026-04-01}
`)
	key := register.KeyDPF("eu-us", "non_hr", "E")
	for day, want := range map[string]struct{ said, holds bool }{
		"2026-01-31": {}, "2026-02-01": {true, false}, "2026-03-01": {true, true}, "2026-03-31": {true, true}, "2026-04-01": {true, false},
	} {
		f, said := r.At(on(t, day)).ByKey[key]
		if said != want.said || f.Holds != want.holds {
			t.Errorf("%s: said %v, holds %v, want %+v", day, said, f.Holds, want)
		}
	}
	if r.At(on(t, "2026-03-15")).ByKey[register.KeyDPF("eu-us", "hr", "E")].Holds {
		t.Error("a listing for other data covers HR data")
	}
	same := parse(t, `checks:
  - {directory: cbpr, entity: E, scheme: apec_prp, status: failed, checked: 2026-03-01}
  - {directory: cbpr, entity: E, scheme: apec_prp, status: active, checked: 2026-03-01}
`)
	if same.At(on(t, "2026-03-01")).ByKey[register.KeyCertificate("apec_prp", "E")].Holds {
		t.Error("of two look-ups of one day the one that says no counts")
	}
}

func TestWhatIsNoContractOnTheClauses(t *testing.T) {
	good := "contracts:\n  - {id: c, kind: scc, with: E, modules: [p2c, c2p], set: 2021/914, annexes_complete: true, unaltered: true, own_controller: true, swiss_changes: true, signed: 2026-01-01}\n"
	holds := func(src, key string) bool { return parse(t, src).At(on(t, "2026-06-01")).ByKey[key].Holds }
	if !holds(good, register.KeySCC("c2p", "", "E")) || !holds(good, register.KeySCC("p2c", "", "E")) || !holds(good, register.KeySwissSCC("c2p", "", "E")) {
		t.Error("good clauses don't hold")
	}
	for what, change := range map[string][2]string{
		"a dead set": {"2021/914", "2010/87"}, "empty annexes": {"annexes_complete: true", "annexes_complete: false"}, "changed text": {"unaltered: true", "unaltered: false"},
		"signed tomorrow": {"2026-01-01}", "2026-06-02}"}, "with another": {"with: E", "with: F"}, "another exporter": {"with: E", "with: E, by: F"},
	} {
		if holds(strings.Replace(good, change[0], change[1], 1), register.KeySCC("c2p", "", "E")) {
			t.Errorf("%s: the clauses hold", what)
		}
	}
	if holds(strings.Replace(good, "own_controller: true, ", "", 1), register.KeySCC("p2c", "", "E")) {
		t.Error("module 4 to somebody else's controller holds")
	}
}

func TestNamesWithSlashesDoNotMeet(t *testing.T) {
	if register.KeyContract("A/B", "C") == register.KeyContract("A", "B/C") || register.KeyContract("", "A/B") == register.KeyContract("A", "B") {
		t.Error("two parties have one key")
	}
}

func TestTenants(t *testing.T) {
	r := parse(t, `enablements: [{tenant: a, recipient: r, from: 2026-01-01, until: 2026-02-01}]
objections: [{tenant: a, recipient: s, from: 2026-01-15}]
pins:
  - {tenant: a, places: [EEA], from: 2026-01-10}
  - {tenant: a, places: [IE, US], from: 2026-01-20}
`)
	for day, want := range map[string]struct{ enabled, objects, pin int }{
		"2025-12-31": {}, "2026-01-01": {enabled: 1}, "2026-01-10": {1, 0, 30}, "2026-01-16": {1, 1, 30}, "2026-01-20": {1, 1, 2}, "2026-02-02": {0, 1, 2},
	} {
		got := r.At(on(t, day)).Tenants["a"]
		if len(got.Enabled) != want.enabled || len(got.Objects) != want.objects || len(got.Pin) != want.pin || got.Pinned != (want.pin > 0) {
			t.Errorf("%s: %+v, want %+v", day, got, want)
		}
	}
	if (*register.Register)(nil).At(0).ByKey == nil {
		t.Error("no register is one that has seen nothing")
	}
}

// A bad register gives no register and no panic; a good one is the same when read again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(head + "checks: [{directory: dpf, entity: E, row: eu-us, status: active, data: [hr], checked: 2026-01-01}]"))
	f.Add([]byte(head + "contracts: [{id: c, kind: scc, with: E, modules: [c2p], set: 2021/914, signed: 2026-01-01}]\ncases: [{id: a}]"))
	f.Add([]byte("format: 1\npins: {}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := register.Parse("f", src)
		if (r == nil) == (err == nil) {
			t.Fatalf("%v and %v", r, err)
		}
		if r != nil {
			r.At(on(t, "2026-11-25"))
			if again, err := register.Parse("f", src); err != nil || again.Version != r.Version {
				t.Fatalf("again: %v", err)
			}
		}
	})
}

// Two registers say together what each says, and no list is left out.
func TestTwoRegistersTogether(t *testing.T) {
	one := parse(t, "objections:\n  - {tenant: acme, recipient: r, from: 2026-01-01}\nannouncements:\n  - {recipient: r, announced: 2026-01-01, until: 2026-01-31}")
	two := parse(t, "pauses:\n  - {flow: f, reason: x, from: 2026-01-01}\nobjections:\n  - {tenant: globex, recipient: r, from: 2026-01-01}")
	both := one.With(two)
	f := both.At(on(t, "2026-02-01"))
	if !f.Paused["f"].Holds || len(f.Tenants["acme"].Objects) != 1 || len(f.Tenants["globex"].Objects) != 1 || !f.ByKey[register.KeyAnnounced("r")].Holds {
		t.Errorf("%+v", f)
	}
	if v := both.Version; v == one.Version || v == two.Version || v == two.With(one).Version || v != one.With(two).Version {
		t.Errorf("version %s", v)
	}
	if one.With(nil) != one || (*register.Register)(nil).With(two) != two {
		t.Error("nothing changes something")
	}
	full := &register.Register{}
	v := reflect.ValueOf(full).Elem()
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Slice {
			v.Field(i).Set(reflect.MakeSlice(v.Field(i).Type(), 1, 1))
		}
	}
	sum := reflect.ValueOf(full.With(full)).Elem()
	for i := range sum.NumField() {
		if sum.Field(i).Kind() == reflect.Slice && sum.Field(i).Len() != 2 {
			t.Errorf("%s is left out", sum.Type().Field(i).Name)
		}
	}
}

func TestTheLastBackupOfEachPlaceCounts(t *testing.T) {
	r, err := register.Parse("r.yaml", []byte(`format: domicile.register/v1
backups:
  - {of: store, place: IE, made: 2026-11-20, by: job}
  - {of: store, place: IE, made: 2026-11-24, restored: 2026-11-24}
  - {of: store, place: IE, made: 2026-11-22}
  - {of: keys, place: DE, made: 2026-11-01}
  - {of: store, place: DE, made: 2026-11-30}
`))
	if err != nil {
		t.Fatal(err)
	}
	got := r.BackupsOn(programme.DayOf(time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)))
	want := []register.Backup{{Of: "keys", Place: "DE", Made: "2026-11-01"}, {Of: "store", Place: "IE", Made: "2026-11-24", Restored: "2026-11-24"}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if _, err := register.Parse("r.yaml", []byte("format: domicile.register/v1\nbackups: [{of: store, place: Ireland, made: 2026-11-20}]\n")); err == nil {
		t.Error("a place that is no country's code is taken")
	}
}
