package plane_test

import (
	"context"
	"slices"
	"testing"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/residency"
)

// purposes are what a programme would declare.
func purposes(id string) *plane.Use {
	return map[string]*plane.Use{
		"billing": {Categories: map[string]bool{"contact": true, "metadata": true}},
		"ads":     {Categories: map[string]bool{"activity": true, "contact": true}, Consent: true, ConsentAlone: true},
		"support": {Categories: map[string]bool{"content": true, "contact": true}, Media: true, Consent: true},
	}[id]
}

// A read for a purpose shows the categories that it may use, and nothing of who refuses it.
func TestPeopleAreReadForAPurpose(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		w.Uses = purposes
		w.send(w.src, "/v1/identify", identify("m1", 1, `{"plan":"gold"}`))
		w.send(w.src, "/v1/track", track("u1", "m2", "Paid"))
		s := w.find("user_id", "u1")

		w.caller = w.caller.Reading("billing")
		p, err := w.Records(ctx, w.caller, s, plane.Query{Limit: 10, Kind: "track"})
		if err != nil || len(p.Records) != 1 {
			t.Fatalf("for billing: %+v, %v", p, err)
		}
		r := p.Records[0]
		if !slices.Equal(r.Categories, []string{"metadata", "contact"}) || slices.Contains(r.Gone, "contact") || !slices.Contains(r.Gone, "activity") || !slices.Contains(r.Gone, "content") {
			t.Errorf("for billing: %v, without %v", r.Categories, r.Gone)
		}
		if got := string(r.Data); got != `{"messageId":"m2","userId":"u1"}` {
			t.Errorf("for billing: %s", got)
		}
		if by, err := w.RecordsByClientID(ctx, w.caller, "m2", ""); err != nil || len(by) != 1 || slices.Contains(by[0].Categories, "content") {
			t.Errorf("by client id for billing: %+v, %v", by, err)
		}
		if v, err := w.Profile(ctx, w.caller, s, ""); err != nil || len(v.Traits.Current) != 1 {
			t.Errorf("traits for billing: %+v, %v", v.Traits, err)
		}

		_, err = w.OpenMedia(ctx, w.caller, r.ID, id.Media{}, "")
		wantKind(t, "a recording for billing", err, fault.Forbidden, "media.not_for_purpose")
		_, err = w.OpenMedia(ctx, w.caller.Reading("support"), r.ID, id.Media{}, "")
		wantKind(t, "a recording that isn't there, for support", err, fault.NotFound, "media.unknown")
		_, err = w.Records(ctx, w.caller.Reading("ads"), s, plane.Query{Limit: 10})
		wantKind(t, "for what rests on consent alone", err, fault.Forbidden, "subject.refuses")
		w.tell(s, consent.Consent("ads"), consent.Given)
		if p, err := w.Records(ctx, w.caller.Reading("ads"), s, plane.Query{Limit: 10, Kind: "track"}); err != nil || len(p.Records) != 1 || !slices.Contains(p.Records[0].Categories, "activity") {
			t.Errorf("with consent: %+v, %v", p, err)
		}
		if v, err := w.Profile(ctx, w.caller.Reading("undeclared"), s, ""); fault.ReasonOf(err) != "purpose.undeclared" {
			t.Errorf("for what isn't declared: %+v, %v", v, err)
		}
		w.tell(s, consent.Objection("billing"), consent.Objects)
		_, err = w.Records(ctx, w.caller, s, plane.Query{Limit: 10})
		wantKind(t, "who objects", err, fault.Forbidden, "subject.refuses")
		_, err = w.Profile(ctx, w.caller, s, "")
		wantKind(t, "traits of who objects", err, fault.Forbidden, "subject.refuses")
		_, err = w.RecordsByClientID(ctx, w.caller, "m2", "")
		wantKind(t, "by client id of who objects", err, fault.Forbidden, "subject.refuses")
		w.tell(s, consent.Consent("support"), consent.Withdrawn)
		_, err = w.Records(ctx, w.caller.Reading("support"), s, plane.Query{Limit: 10})
		wantKind(t, "who withdrew, though there is another basis", err, fault.Forbidden, "subject.refuses")

		n := 0
		if _, err := w.Export(ctx, w.caller, s, "", func(v plane.RecordView) error {
			n++
			if len(v.Gone) > 0 {
				t.Errorf("an export is without %v", v.Gone)
			}
			return nil
		}); err != nil || n != 2 {
			t.Errorf("%d records exported, %v: a purpose bounds no right of access", n, err)
		}
	})
}

// Of a message between two, one of whom objects, the other's parts are shown.
func TestWhoRefusesIsLeftOutOfOthersRecords(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.Uses = purposes
		a, b := "+353209150001", "+353209150002"
		w.send(w.nat, "", oneLine(message("x1", a, "sender", b, "recipient", "hello from A")))
		w.tell(w.find("phone", b), consent.Objection("support"), consent.Objects)
		p, err := w.Records(context.Background(), w.caller.Reading("support"), w.find("phone", a), plane.Query{Limit: 10})
		if err != nil || len(p.Records) != 1 {
			t.Fatalf("%+v, %v", p, err)
		}
		if got := string(p.Records[0].Data); got != `{"body":"hello from A","from":"+353209150001"}` {
			t.Errorf("read %s", got)
		}
	})
}

// Where the tenant says so, nobody is read without a purpose.
func TestAPurposeIsNeeded(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		w.Uses = purposes
		w.send(w.src, "/v1/track", track("u1", "m1", "Paid"))
		s := w.find("user_id", "u1")
		w.caller.Settings = &residency.Settings{ForPurposes: true}
		_, err := w.Records(ctx, w.caller, s, plane.Query{Limit: 10})
		wantKind(t, "records", err, fault.Forbidden, "purpose.needed")
		_, err = w.RecordsByClientID(ctx, w.caller, "m1", "")
		wantKind(t, "by client id", err, fault.Forbidden, "purpose.needed")
		_, err = w.Profile(ctx, w.caller, s, "")
		wantKind(t, "traits", err, fault.Forbidden, "purpose.needed")
		if p, err := w.Records(ctx, w.caller.Reading("billing"), s, plane.Query{Limit: 10}); err != nil || len(p.Records) != 1 {
			t.Errorf("for a purpose: %+v, %v", p, err)
		}
		if sum, err := w.Export(ctx, w.caller, s, "", func(plane.RecordView) error { return nil }); err != nil || sum.Records != 1 {
			t.Errorf("export: %+v, %v", sum, err)
		}
	})
}
