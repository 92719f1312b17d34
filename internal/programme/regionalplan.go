package programme

// RegionalPlan is what is published of how data comes to stay in regions, beside where and since when
// each service can be had.
type RegionalPlan struct {
	LastUpdated Date          `yaml:"last_updated" is:"required" doc:"The day of the newest change."`
	Every       Period        `yaml:"every" doc:"How often an update is promised."`
	Primary     string        `yaml:"primary" is:"ref=regions" doc:"The region where data is processed that isn't kept in another."`
	Contracting []Contracting `yaml:"contracting" doc:"Whom customers contract with, by billing country; the first that fits counts."`
	Data        []PlannedData `yaml:"data" doc:"What stays in a region, and what does not yet."`
	Updates     []PlanUpdate  `yaml:"updates" doc:"What was published of the plan's progress."`
}

// Contracting says whom the customers of some countries contract with.
type Contracting struct {
	Entity    string   `yaml:"entity" is:"required;ref=entities" doc:"The contracting entity."`
	Billing   []string `yaml:"billing" is:"jurisdiction" doc:"Billing countries, EU or EEA; every other country when left out."`
	Since     When     `yaml:"since" doc:"Since when new customers do."`
	OnRequest string   `yaml:"on_request" doc:"Who else may, when they ask."`
	Note      string   `yaml:"note" doc:"Anything that a reader should know."`
}

// PlannedData is a kind of data and whether it stays in its region.
type PlannedData struct {
	ID      string   `yaml:"id" is:"required;id" doc:"Short name."`
	Name    string   `yaml:"name" is:"required" doc:"What it is."`
	Stays   bool     `yaml:"stays" is:"required" doc:"Whether it stays in the region where it came in."`
	Regions []string `yaml:"regions" is:"ref=regions" doc:"Where it stays; where the data came in when left out."`
	At      []string `yaml:"at" is:"country" doc:"Where it is, when it doesn't stay."`
	Planned When     `yaml:"planned" doc:"When the plan said that it would stay."`
	Note    string   `yaml:"note" doc:"Anything that a reader should know."`
}

// PlanUpdate is a dated note.
type PlanUpdate struct {
	Dated When   `yaml:"dated" is:"required" doc:"When it was published."`
	Text  string `yaml:"text" is:"required" doc:"What it said."`
}

// ContractingFor returns whom new customers with that billing country contract with, nil where the plan
// says nothing of them.
func (r *RegionalPlan) ContractingFor(country string) *Contracting {
	for i := range r.Contracting {
		c := &r.Contracting[i]
		if len(c.Billing) == 0 {
			return c
		}
		for _, j := range c.Billing {
			if In(country, j) {
				return c
			}
		}
	}
	return nil
}
