package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"domicile.dev/internal/client"
	"domicile.dev/internal/programme"
)

// planDays is how far back the volumes of a plan go.
const planDays = 30

// carried is how many records of a tenant a flow would have carried.
type carried struct {
	Flow    string `json:"flow"`
	Tenant  string `json:"tenant"`
	Records int64  `json:"records"`
}

// ask adds to a plan how much came in for each flow, and whose, where a region is named to ask. A region that
// doesn't answer is named, and the plan stands without it.
func (c *programmePlanCmd) ask(e *env, flows []*programme.Flow, a *planAnswer) (map[string][]client.ConsentCount, error) {
	var regions []client.Volumes
	counts := map[string][]client.ConsentCount{}
	var missing []string
	switch {
	case c.Up != "":
		up, err := client.ReadUp(c.Up)
		if err != nil {
			return nil, err
		}
		for _, r := range up.Regions {
			cl, err := up.Operator(r, nil)
			if err != nil {
				return nil, err
			}
			v, err := cl.Volumes(e.ctx, planDays)
			if err != nil {
				missing = append(missing, r.ID+" ("+err.Error()+")")
				continue
			}
			regions = append(regions, v)
			count(e, cl, v.Region, counts)
		}
	case c.Live:
		cl, err := (&node{}).tenant()
		if err != nil {
			return nil, err
		}
		v, err := cl.Volumes(e.ctx, planDays)
		if err != nil {
			missing = append(missing, "the region ("+err.Error()+")")
			break
		}
		regions = append(regions, v)
		count(e, cl, v.Region, counts)
	default:
		return nil, nil
	}
	var names []string
	for _, v := range regions {
		names = append(names, v.Region)
		for _, f := range flows {
			if f.From == v.Region {
				a.Carried = append(a.Carried, volumesOf(f, v)...)
			}
		}
	}
	slices.SortFunc(a.Carried, func(x, y carried) int {
		return cmp.Or(strings.Compare(x.Flow, y.Flow), strings.Compare(x.Tenant, y.Tenant))
	})
	if a.Volumes = noVolumes; len(names) > 0 {
		a.Volumes = fmt.Sprintf("records of the flows' kinds that came in during the last %d days, in %s", planDays, strings.Join(names, ", "))
	}
	if len(missing) > 0 {
		a.Volumes = strings.TrimSuffix(a.Volumes, ": no region was asked") + "; no answer of " + strings.Join(missing, ", ")
	}
	return counts, nil
}

// count adds how many consents stand in a region; nothing where it can't say.
func count(e *env, cl *client.Client, region string, to map[string][]client.ConsentCount) {
	if p, err := cl.Published(e.ctx); err == nil && p.ConsentsAt != nil {
		to[region] = p.Consents
	}
}

// flowsOf returns the flows of programmes, each once, as the first of them has it; nil has none.
func flowsOf(all ...*programme.Programme) (flows []*programme.Flow) {
	for _, p := range all {
		if p == nil {
			continue
		}
		for i := range p.Flows {
			if f := &p.Flows[i]; !slices.ContainsFunc(flows, func(x *programme.Flow) bool { return x.ID == f.ID }) {
				flows = append(flows, f)
			}
		}
	}
	return flows
}

// volumesOf counts what came in of a flow's kinds, for every tenant of the region.
func volumesOf(f *programme.Flow, v client.Volumes) (all []carried) {
	for _, t := range v.Tenants {
		x := carried{Flow: f.ID, Tenant: t}
		for _, n := range v.Volumes {
			if n.Tenant == t && slices.Contains(f.Services, n.Service) && (len(f.Kinds) == 0 || slices.Contains(f.Kinds, n.Kind)) {
				x.Records += n.Records
			}
		}
		all = append(all, x)
	}
	return all
}
