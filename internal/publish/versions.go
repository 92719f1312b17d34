package publish

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subprocessor"
	"domicile.dev/internal/tenant"
)

// adopt enters, on a store that has no version, what was public before.
func (s *Service) adopt(ctx context.Context) error {
	none := false
	if err := s.DB.View(ctx, func(tx store.Tx) error {
		all, err := s.Store.Versions(tx)
		none = len(all) == 0
		return err
	}); err != nil || !none {
		return err
	}
	var list []*programme.Programme
	for _, p := range s.opt.Archive {
		if p.Notice.ID != s.Programme.Notice.ID {
			list = append(list, p)
		}
	}
	slices.SortStableFunc(list, func(a, b *programme.Programme) int { return cmp.Compare(a.Notice.LastUpdated, b.Notice.LastUpdated) })
	list = append(list, s.Programme)
	err := s.DB.Do(ctx, func(tx store.Tx) error {
		if all, err := s.Store.Versions(tx); err != nil || len(all) > 0 { // another node was first
			return err
		}
		var before *programme.Programme
		for i, p := range list {
			v := &Version{N: i + 1, Adopted: true, PublishedAt: s.opt.Now().UTC().Truncate(time.Millisecond), Effective: programme.FirstDay(p.Notice.LastUpdated), Told: true}
			differ(v, before, p)
			if err := s.add(tx, v, before, p); err != nil {
				return err
			}
			before = p
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("adopt what is public: %w", err)
	}
	s.Ledger.Committed()
	return nil
}

// declared is the day on which an adopted row was announced: its own, else the list's, else the notice's.
func declared(p *programme.Programme, r *programme.Recipient) programme.Day {
	page := p.Notice.LastUpdated
	if p.Notice.SubProcessorPage != nil {
		page = p.Notice.SubProcessorPage.LastUpdated
	}
	return programme.FirstDay(cmp.Or(r.Announced, page))
}

// add enters a version with the announcements that it makes.
func (s *Service) add(tx store.Tx, v *Version, before, p *programme.Programme) error {
	over := objecting(before, p)
	announced, err := s.Store.Announcements(tx)
	if err != nil {
		return err
	}
	last := map[string]Announced{}
	for _, a := range announced {
		last[a.Recipient] = a
	}
	var told, gone []string
	for _, r := range subprocessor.Rows(p) {
		restarts := slices.ContainsFunc(v.List, func(c subprocessor.Change) bool { return c.ID == r.ID && c.Notice })
		if a, ok := last[r.ID]; ok && a.Withdrawn == 0 && !restarts {
			continue
		}
		day := dayOf(v.PublishedAt)
		if v.Adopted {
			day = declared(p, r)
		} else if later := programme.FirstDay(r.Announced); later > day {
			day = later // told now, and the time to object begins then
		}
		if err := s.Store.PutAnnounced(tx, Announced{Recipient: r.ID, N: v.N, On: day, Until: max(over(day)-1, day)}); err != nil {
			return err
		}
		told = append(told, r.ID)
	}
	for _, c := range v.List {
		if a, ok := last[c.ID]; ok && c.How == subprocessor.Removed && a.Withdrawn == 0 {
			a.Withdrawn = dayOf(v.PublishedAt)
			if err := s.Store.PutAnnounced(tx, a); err != nil {
				return err
			}
			gone = append(gone, c.ID)
		}
	}
	entry, err := s.enter(tx, "notice.published", "", map[string]any{"version": v.N, "notice": v.Notice, "programme": v.Programme, "effective": string(v.Effective.Date()),
		"adopted": v.Adopted, "material": v.Material, "changes": len(v.Changes), "retold": limited(v.Retold), "list_changes": len(v.List), "announced": limited(told), "withdrawn": limited(gone), "ask_again": limited(v.AskAgain)})
	if err != nil {
		return err
	}
	v.Entry = entry.String()
	if v.Source, err = pack(p); err != nil {
		return err
	}
	return s.Store.AddVersion(tx, v)
}

// limited bounds what an entry lists; the version has all of it.
func limited(ids []string) []string {
	if ids == nil {
		return []string{}
	}
	return ids[:min(len(ids), 100)]
}

// objecting returns when the time to object that begins on a day is over: what the list promised until now
// and what it promises from now on, whichever is longer. before may be nil.
func objecting(before, after *programme.Programme) func(programme.Day) programme.Day {
	return func(day programme.Day) programme.Day {
		end := day
		for _, p := range []*programme.Programme{before, after} {
			if p != nil && p.Notice.SubProcessorPage != nil {
				end = max(end, p.Notice.SubProcessorPage.NoticePeriod.Over(day))
			}
		}
		return end
	}
}

// advance is how long a material change is public before it holds.
func advance(p *programme.Programme) programme.Period {
	if a := p.Notice.Changes.SignificantChange.AdvanceNotice; a.Unit != "" {
		return a
	}
	return programme.Period{N: 30, Unit: programme.Days}
}

// Published is a version and how many are told of it.
type Published struct {
	Version
	Mail, Webhooks int // messages that were queued
}

// Publish makes the running programme's notice and list of sub-processors a version, from the day
// effective on; "" is today, or the end of the advance notice of a material change. It is for the operator.
//
// Faults: Conflict when nothing changed, or when another text goes by the same id; Invalid for a day
// that has passed or is before the end of the advance notice.
func (s *Service) Publish(ctx context.Context, c *tenant.Caller, effective programme.Date) (out Published, err error) {
	if err := operator(c); err != nil {
		return out, err
	}
	all, err := s.Versions(ctx)
	if err != nil {
		return out, err
	}
	last := &all[len(all)-1]
	before, err := s.ProgrammeOf(ctx, last)
	if err != nil {
		return out, err
	}
	v := &Version{N: last.N + 1, PublishedAt: s.opt.Now().UTC().Truncate(time.Millisecond)}
	differ(v, before, s.Programme)
	if err := s.judge(v, all, before, effective); err != nil {
		return out, err
	}
	packed, err := pack(s.Programme)
	if err != nil {
		return out, err
	}
	if _, err := unpack(packed, v.Programme); err != nil { // what can't be read again is not kept as proof
		return out, err
	}
	err = s.DB.Do(ctx, func(tx store.Tx) error {
		now, err := s.Store.Versions(tx)
		if err != nil {
			return err
		}
		if len(now) != len(all) {
			return fault.New(fault.Conflict, "notice.published_meanwhile", "another version was published at this moment").WithHint("look at it, and publish again if there is something left")
		}
		mail, webhooks, err := s.Store.QueueNews(tx, v.N, v.news(), v.PublishedAt)
		if err != nil {
			return err
		}
		v.Told = false
		if err := s.add(tx, v, before, s.Programme); err != nil {
			return err
		}
		out = Published{*v, mail, webhooks}
		if err := s.finish(tx, v.N); err != nil { // there may be nobody to tell
			return err
		}
		return store.Effect(ctx, tx)
	})
	if err != nil {
		return Published{}, err
	}
	s.opt.Log.Info("a version was published", "version", v.N, "material", v.Material, "mail", out.Mail, "webhooks", out.Webhooks)
	s.changed()
	return out, nil
}

// judge says what stands against a version and fills in from when it holds.
func (s *Service) judge(v *Version, all []Version, before *programme.Programme, effective programme.Date) error {
	if !v.NewNotice && !v.NewList && len(v.Retold) == 0 {
		return fault.New(fault.Conflict, "notice.unchanged", "neither the notice nor the list of sub-processors differs from what is published, in any language")
	}
	for i := range all {
		if v.NewNotice && all[i].Notice == v.Notice {
			return fault.New(fault.Conflict, "notice.same_id", "another text is published as %s", v.Notice).
				WithHint("give the notice a new id, and name the old one under supersedes")
		}
	}
	today := s.today()
	v.Effective = today
	if v.Material {
		// A version can't shorten the notice that is given of itself: what was promised until now holds, too.
		v.Effective = max(advance(before).Over(today), advance(s.Programme).Over(today))
	}
	for i := range all { // what waits for its day is in this version, too
		v.Effective = max(v.Effective, all[i].Effective)
	}
	if effective == "" {
		return nil
	}
	day := programme.FirstDay(effective)
	if day < v.Effective {
		return fault.New(fault.Invalid, "notice.too_soon", "the earliest day is %s", v.Effective.Date()).
			WithHint("a material change is public before it holds for as long as the published notice and the new one say (changes.significant_change.advance_notice), and no version holds before the one that it follows")
	}
	v.Effective = day
	return nil
}
