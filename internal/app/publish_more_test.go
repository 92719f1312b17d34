package app_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"domicile.dev/internal/app"
	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/publish"
	"domicile.dev/internal/store/storetest/pgtest"
)

func onBothStores(t *testing.T, fn func(t *testing.T, o *office)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, newOffice(t, "")) })
	t.Run("postgres", func(t *testing.T) { fn(t, newOffice(t, pgtest.URL(t))) })
}

// A material change is public before it holds, and until then the notice is the one before.
func TestAMaterialChangeHoldsAfterItsAdvanceNotice(t *testing.T) {
	onBothStores(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.start(exampleProgramme(t))
		o.subscribe("ann@example.net", 1)
		p := materially(t, "notice-2026-11")
		o.start(p)
		op := o.client(o.n.Operator)
		for _, day := range []string{"2026-11-24", "2026-12-24"} {
			if _, err := op.PublishNotice(ctx, day); fault.ReasonOf(err) != "notice.too_soon" {
				t.Errorf("from %s: %v", day, err)
			}
		}
		v, err := op.PublishNotice(ctx, "")
		if err != nil || !v.Material || v.Effective != "2026-12-25" || !v.NewNotice || v.NewList || len(v.AskAgain) != 2 {
			t.Fatalf("%+v, %v", v, err)
		}
		versions, err := o.n.Publish.Versions(ctx)
		if err != nil {
			t.Fatal(err)
		}
		askings, marked := publish.Askings(versions).Askings.All, 0
		for _, a := range askings {
			if a.Version != v.Version {
				continue
			}
			if marked++; !slices.Contains(v.AskAgain, a.Purpose) || a.From.Date() != "2026-12-25" || a.Since != o.now().UnixMilli() {
				t.Errorf("consents that are asked again: %+v", a)
			}
		}
		if marked != len(v.AskAgain) || len(askings) <= marked { // those of 2026-04-09 stay marked
			t.Errorf("%d of %d are marked by %s", marked, len(askings), v.Version)
		}
		_, text, _ := o.letters(2)
		if !strings.Contains(text, "holds from 2026-12-25") || !strings.Contains(text, "/privacy/notice/notice-2026-11") {
			t.Errorf("the news: %s", text)
		}
		eventually(t, "the version's address", func() bool { status, _ := o.get("/privacy/notice/notice-2026-11"); return status == 200 })
		holds := func() string {
			_, page := o.get("/privacy/notice", "Accept", "application/json")
			for _, id := range []string{"notice-2026-11", "notice-2026-04-09"} {
				if strings.Contains(page, `"id": "`+id+`"`) || strings.Contains(page, `"id":"`+id+`"`) {
					return id
				}
			}
			return page
		}
		if got := holds(); got != "notice-2026-04-09" {
			t.Errorf("on the day of its publication %s holds", got)
		}
		o.move(30 * 24 * time.Hour)
		eventually(t, "the new notice to hold", func() bool { return holds() == "notice-2026-11" })
		// Another text under the same id is refused: addresses are permanent.
		o.start(withMore(t, "", "id: notice-2026-04-09", "id: notice-2026-11"))
		if _, err := o.client(o.n.Operator).PublishNotice(ctx, ""); fault.ReasonOf(err) != "notice.same_id" {
			t.Errorf("another text of the same id: %v", err)
		}
	})
}

// materially is the example with a new id and two purposes that rest on another basis, too.
func materially(t *testing.T, id string) *programme.Programme {
	t.Helper()
	return withMore(t, "", "id: notice-2026-04-09", "id: "+id, "legal_bases: [consent, legitimate_interest]", "legal_bases: [consent, legitimate_interest, legal_obligation]")
}

// Letters survive a relay that is away and a node that is stopped; each keeps its id.
func TestTheOutboxSurvives(t *testing.T) {
	onBothStores(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.start(exampleProgramme(t))
		for i, a := range []string{"ann@example.net", "bob@example.net"} {
			o.subscribe(a, i+1)
		}
		o.relay.Refuse(func(to string) *smtp.SMTPError {
			if to == "bob@example.net" {
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: to + " is unknown"}
			}
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later, " + to}
		})
		o.start(withMore(t, newcomer))
		if _, err := o.client(o.n.Operator).PublishNotice(ctx, ""); err != nil {
			t.Fatal(err)
		}
		told := func() client.NoticeTold {
			x, err := o.client(o.n.Operator).NoticeTold(ctx, "v3")
			if err != nil {
				t.Fatal(err)
			}
			return x
		}
		states := func() string {
			var all []string
			for _, m := range told().Messages {
				all = append(all, m.State+" "+m.Code)
			}
			return strings.Join(all, ", ")
		}
		eventually(t, "one refused for good, one to be tried again", func() bool {
			s := states()
			return strings.Contains(s, "failed smtp.550") && strings.Contains(s, "queued smtp.451")
		})
		o.relay.Refuse(nil)
		o.start(withMore(t, newcomer)) // a restart
		o.move(3 * time.Minute)
		m, _, to := o.letters(3)
		if to != "ann@example.net" || !strings.HasPrefix(m.Header.Get("Message-Id"), "<news.3.sbr_") {
			t.Errorf("letter to %s, %s", to, m.Header.Get("Message-Id"))
		}
		eventually(t, "the end", func() bool { return told().Complete })
		if s := states(); !strings.Contains(s, "sent ") || !strings.Contains(s, "failed smtp.550") {
			t.Errorf("states: %s", s)
		}
	})
}

// An address that refuses two versions in a row for good is told of no third.
func TestAnAddressThatRefusesForGoodIsGivenUp(t *testing.T) {
	onBothStores(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.start(exampleProgramme(t))
		for i, a := range []string{"ann@example.net", "bob@example.net"} {
			o.subscribe(a, i+1)
		}
		refuse := func(code int) {
			o.relay.Refuse(func(to string) *smtp.SMTPError {
				if code > 0 && to == "bob@example.net" {
					return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "not " + to}
				}
				return nil
			})
		}
		// each publishes a list with another newcomer, and says how many there were to tell and what became of it
		n := 0
		publish := func(code int, want string) {
			t.Helper()
			refuse(code)
			n++
			o.start(withMore(t, strings.ReplaceAll(newcomer, "sp-27", fmt.Sprintf("sp-%d", 27+n))))
			v, err := o.client(o.n.Operator).PublishNotice(ctx, "")
			if err != nil {
				t.Fatal(err)
			}
			states := func() string {
				told, err := o.client(o.n.Operator).NoticeTold(ctx, v.Version)
				if err != nil {
					t.Fatal(err)
				}
				var all []string
				for _, m := range told.Messages {
					all = append(all, strings.TrimSpace(m.State+" "+m.Code))
				}
				slices.Sort(all)
				return strings.Join(all, ", ")
			}
			eventually(t, v.Version+" is "+want, func() bool { return states() == want })
		}
		publish(550, "failed smtp.550, sent")
		publish(0, "sent, sent") // it answers again: nothing is counted any more
		publish(550, "failed smtp.550, sent")
		publish(451, "queued smtp.451, sent") // for now is not for good
		refuse(550)
		o.move(3 * time.Minute)
		eventually(t, "the subscription to end", func() bool {
			waiting, confirmed, err := app.Subscribers(ctx, o.n)
			return err == nil && waiting == 0 && confirmed == 1
		})
		publish(0, "sent") // to ann alone
	})
}

// Without a relay letters wait, and say so; with one they go.
func TestMailWaitsForARelay(t *testing.T) {
	onBothStores(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.start(exampleProgramme(t))
		o.subscribe("ann@example.net", 1)
		relay := o.c.Mail
		o.c.Mail = nil
		o.start(withMore(t, newcomer))
		if _, err := o.client(o.n.Operator).PublishNotice(ctx, ""); err != nil {
			t.Fatal(err)
		}
		if n, err := o.n.Publish.Deliver(ctx); n != 0 || err != nil {
			t.Errorf("%d messages were tried: %v", n, err)
		}
		told, err := o.client(o.n.Operator).NoticeTold(ctx, "v3")
		if err != nil || told.CanMail || told.Complete || len(told.Messages) != 1 || told.Messages[0].State != "queued" || told.Messages[0].Attempts != 0 {
			t.Fatalf("%+v, %v", told, err)
		}
		o.c.Mail = relay
		o.start(withMore(t, newcomer))
		o.letters(2)
	})
}

// An address is asked once an hour, is forgotten when it never answers, and its key is wrapped anew with everybody's.
func TestASubscribersLife(t *testing.T) {
	onBothStores(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.start(exampleProgramme(t))
		ask := func(want int) {
			t.Helper()
			if status, _ := o.post("/privacy/subscriptions", url.Values{"address": {"Ann@Example.net"}, "list": {"notices"}}); status != 303 {
				t.Fatalf("subscribe: %d", status)
			}
			if _, err := o.n.Publish.Deliver(ctx); err != nil {
				t.Fatal(err)
			}
			o.letters(want)
		}
		ask(1)
		ask(1) // at once: nothing more is sent
		o.move(2 * time.Hour)
		ask(2)
		_, text, _ := o.letters(2)
		old := link.FindString(text)
		o.move(8 * 24 * time.Hour)
		if status, _ := o.post(old, nil); status != 404 {
			t.Errorf("a link of last week: %d", status)
		}
		o.move(24 * time.Hour)
		o.start(exampleProgramme(t)) // a start sweeps
		eventually(t, "it to be forgotten", func() bool {
			waiting, confirmed, err := app.Subscribers(ctx, o.n)
			if err != nil {
				t.Fatal(err)
			}
			return waiting+confirmed == 0
		})
		o.subscribe("ann@example.net", 3)
		if r, err := app.RotateEpoch(ctx, o.n); err != nil || r != 1 {
			t.Fatalf("rotation: %d keys were wrapped anew, %v", r, err)
		}
		o.start(withMore(t, newcomer))
		if _, err := o.client(o.n.Operator).PublishNotice(ctx, ""); err != nil {
			t.Fatal(err)
		}
		if _, _, to := o.letters(4); to == "" {
			t.Error("no letter after the rotation")
		}
	})
}
