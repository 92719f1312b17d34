package programme

// RetentionDays returns how long that part of that kind of record is kept, in days from its
// acceptance; 0 means until it is erased. The most specific class wins: one that names the kind
// before one that names the service only, then one that names the category before one that names
// its group heading, before one that names none.
func (p *Programme) RetentionDays(service, kind, category string) uint16 {
	best, days := -1, uint16(0)
	parent := ""
	if c := p.Category(category); c != nil {
		parent = c.Parent
	}
	for _, c := range p.Retention.Classes {
		rank, ok := c.rank(service, kind, category, parent)
		if ok && rank > best {
			best = rank
			days, _ = c.Keep.RetentionDays() // checked at loading
		}
	}
	return days
}

// rank says whether c selects the part, and how specific it is.
func (c RetentionClass) rank(service, kind, category, parent string) (rank int, ok bool) {
	switch c.Service {
	case "":
	case service:
		rank += 4
	default:
		return 0, false
	}
	switch c.Kind {
	case "":
	case kind:
		rank += 8
	default:
		return 0, false
	}
	switch c.Category {
	case "":
	case category:
		rank += 2
	case parent:
		rank++
	default:
		return 0, false
	}
	return rank, true
}
