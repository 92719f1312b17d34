package publish

import (
	"context"
	"slices"

	"domicile.dev/internal/notice"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/store"
)

// speaks is the language in which a subscriber is written to of what no version says: its own where the running
// programme has it.
func (s *Service) speaks(language string) string {
	if all := notice.Languages(s.Programme); !slices.Contains(all, language) {
		return all[0]
	}
	return language
}

// kept is the language that addresses in a letter name, "" where it is the programme's own.
func (s *Service) kept(language string) string {
	if language == s.Programme.Notice.Language {
		return ""
	}
	return language
}

// retelling is a version, by its entry too, and a language that it was asked for in.
type retelling struct {
	n               int
	entry, language string
}

// retold is a version with its texts in a language, which may be another than was asked for.
type retold struct {
	v        *Version
	language string
}

// mostRetold bounds what is kept of them.
const mostRetold = 64

// retell is v with its texts in a language, where v and the version before it have it; otherwise it is v as it is. It
// returns the language that the texts are in.
func (s *Service) retell(ctx context.Context, v *Version, language string) (*Version, string, error) {
	key := retelling{v.N, v.Entry, language}
	s.mu.Lock()
	kept, ok := s.told[key]
	s.mu.Unlock()
	if ok {
		return kept.v, kept.language, nil
	}
	said, in, err := s.inOther(ctx, v, language)
	if err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.told) >= mostRetold {
		clear(s.told)
	}
	s.told[key] = retold{said, in}
	return said, in, nil
}

func (s *Service) inOther(ctx context.Context, v *Version, language string) (*Version, string, error) {
	after, err := s.ProgrammeOf(ctx, v)
	if err != nil {
		return nil, "", err
	}
	own := after.Notice.Language
	if language == own || !slices.Contains(notice.Languages(after), language) {
		return v, own, nil
	}
	before, err := s.before(ctx, v)
	if err != nil {
		return nil, "", err
	}
	if before != nil && !slices.Contains(notice.Languages(before), language) {
		return v, own, nil
	}
	return inLanguage(v, before, after, language), language, nil
}

// inLanguage is v with its texts in a language that both programmes have. What changed is what it is in v: it was
// decided when v was published.
func inLanguage(v *Version, before, after *programme.Programme, language string) *Version {
	if before != nil {
		before = before.In(language)
	}
	var said Version
	differ(&said, before, after.In(language))
	out := *v
	if said.NewNotice == v.NewNotice {
		out.Summary = said.Summary
	}
	if len(said.List) == len(v.List) {
		out.List = said.List
	}
	if len(said.Changes) == len(v.Changes) {
		out.Changes = said.Changes
	}
	return &out
}

// before is the programme of the version before v, nil for the first.
func (s *Service) before(ctx context.Context, v *Version) (*programme.Programme, error) {
	var old *Version
	if err := s.DB.View(ctx, func(tx store.Tx) (err error) {
		old, err = s.Store.Version(tx, v.N-1)
		return err
	}); err != nil || old == nil {
		return nil, err
	}
	return s.ProgrammeOf(ctx, old)
}

// Retold returns versions with their texts in a language, those that can be.
func (s *Service) Retold(ctx context.Context, all []Version, language string) ([]Version, error) {
	out := make([]Version, len(all))
	for i := range all {
		v, _, err := s.retell(ctx, &all[i], language)
		if err != nil {
			return nil, err
		}
		out[i] = *v
	}
	return out, nil
}
