package app_test

import (
	"context"
	"testing"

	"domicile.dev/internal/fault"
)

// The time that a material change is public can't be shortened by what is published with it or after it.
func TestNoVersionTakesTheAdvanceNoticeAway(t *testing.T) {
	onBothStores(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		basis := []string{"legal_bases: [consent, legitimate_interest]", "legal_bases: [consent, legitimate_interest, legal_obligation]"}
		short := []string{"advance_notice: 30 days", "advance_notice: 1 days", "notice_period: 30 days", "notice_period: 1 days"}
		edited := func(id string, more ...[]string) (edits []string) {
			edits = []string{"id: notice-2026-04-09", "id: " + id}
			for _, m := range more {
				edits = append(edits, m...)
			}
			return edits
		}
		o.start(exampleProgramme(t))
		// A version that changes something material and says that a day is enough from now on, with a newcomer.
		o.start(withMore(t, newcomer, edited("notice-a", basis, short)...))
		op := o.client(o.n.Operator)
		if _, err := op.PublishNotice(ctx, "2026-12-24"); fault.ReasonOf(err) != "notice.too_soon" {
			t.Errorf("a shorter notice of itself: %v", err)
		}
		v, err := op.PublishNotice(ctx, "")
		if err != nil || !v.Material || v.Effective != "2026-12-25" {
			t.Fatalf("%+v, %v", v, err)
		}
		seen, err := o.n.Publish.Announcements(ctx)
		if got := seen["sp-27"].Until.Date(); err != nil || got != "2026-12-24" {
			t.Errorf("customers may object to the newcomer until %s, %v", got, err)
		}
		// A version after it that changes a word only: what waits for its day is in it, too.
		o.start(withMore(t, newcomer, edited("notice-b", basis, short, []string{"title: Privacy Notice", "title: Our Privacy Notice"})...))
		op = o.client(o.n.Operator)
		if _, err := op.PublishNotice(ctx, "2026-11-26"); fault.ReasonOf(err) != "notice.too_soon" {
			t.Errorf("a change of words takes the waiting one along: %v", err)
		}
		if v, err = op.PublishNotice(ctx, ""); err != nil || v.Material || v.Effective != "2026-12-25" {
			t.Errorf("a change of words: %+v, %v", v, err)
		}
	})
}
