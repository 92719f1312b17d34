package tenant

import "domicile.dev/internal/term"

// Trust returns how far the word of the source called sid goes, also when it is disabled. A source
// that this node hasn't heard of has the least.
func (s *Service) Trust(sid string) term.Trust {
	if h, known := s.index.hook(sid); known {
		return h.source.Trust
	}
	return term.Public
}
