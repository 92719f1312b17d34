package ingest

// Choices is what an event says of what its person allows, in the source's own words. What they stand
// for is the programme's to say.
type Choices struct {
	Role string // whose they are: term.RoleSubject, sender or recipient
	// All says that what isn't named is refused: the object speaks for all categories, or can't be read.
	All bool
	// Act says that the person did something just then, such as to change a preference or send a keyword;
	// else it is what an SDK repeats with every event.
	Act bool
	How string // "sdk", "keyword", "event"
	Of  []Choice
}

// Choice is a yes or no to one category.
type Choice struct {
	Category []byte
	Yes      bool
}

// MaxChoices bounds the categories that one event speaks of; beyond it, it says no to all.
const MaxChoices = 100

// Says returns what is said of a category: of two that differ, the no. named is false when nothing is.
func (c *Choices) Says(category string) (yes, named bool) {
	yes = true
	for i := range c.Of {
		if string(c.Of[i].Category) == category {
			named = true
			yes = yes && c.Of[i].Yes
		}
	}
	if !named {
		return false, c.All
	}
	return yes, true
}
