package decision

import (
	"slices"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// entities are the two of a request: what would leave, which lies in its flow, region, service, kind and
// categories, and who would get it, who lies in its class and in the countries that data would reach.
type entities struct{ data, recipient types.Entity }

// Get returns the entity, when it is one of the two.
func (e *entities) Get(uid types.EntityUID) (types.Entity, bool) {
	switch uid {
	case e.data.UID:
		return e.data, true
	case e.recipient.UID:
		return e.recipient, true
	}
	return types.Entity{}, false
}

func uid(typ, id string) types.EntityUID {
	return types.NewEntityUID(types.EntityType(typ), types.String(id))
}

var transfer = uid("Action", "transfer")

// request is a question as Cedar sees it.
type request struct {
	entities
	cedar.Request
	dataIn, recipientIn []types.EntityUID
}

// ask builds the request of a question in one form. facts is factRecord's, kept by the caller.
func ask(p *programme.Programme, pl *plan, w *world, facts types.Record) *request {
	q := w.q
	r := &request{dataIn: make([]types.EntityUID, 0, 12), recipientIn: make([]types.EntityUID, 0, 6)}
	r.dataIn = append(r.dataIn, uid("Flow", q.Flow), uid("Region", q.Region), uid("Service", q.Service), uid("Kind", q.Service+"/"+q.Kind))
	q.Categories.each(func(c string) bool { r.dataIn = append(r.dataIn, uid("Category", c)); return true })
	if x := p.Recipient(q.Recipient); x != nil {
		r.recipientIn = append(r.recipientIn, uid("Class", x.Class))
	}
	if pl != nil {
		for _, c := range pl.pin.cond.set {
			r.recipientIn = append(r.recipientIn, uid("Country", c))
		}
	}
	r.data = types.Entity{UID: uid("Data", q.Flow), Parents: types.NewEntityUIDSet(r.dataIn...)}
	r.recipient = types.Entity{UID: uid("Recipient", q.Recipient), Parents: types.NewEntityUIDSet(r.recipientIn...)}
	r.Request = cedar.Request{Principal: r.recipient.UID, Action: transfer, Resource: r.data.UID, Context: contextOf(pl, w, facts)}
	return r
}

func contextOf(pl *plan, w *world, facts types.Record) types.Record {
	q, purpose := w.q, w.q.Purpose
	if pl != nil {
		purpose = pl.f.Purpose // what a person says counts for what the flow is for, whatever is asked
	}
	return types.NewRecord(types.RecordMap{
		"form":       types.String(w.form.String()),
		"day":        types.Long(w.day),
		"laws":       setOf(w.laws),
		"kind":       types.String(q.Service + "/" + q.Kind),
		"categories": setOf(q.Categories.Words()),
		"purpose":    types.String(q.Purpose),
		"region":     types.String(q.Region),
		"case_open":  types.Boolean((&cond{op: opCase, key: q.Recipient}).simple(w)),
		"paused":     types.Boolean(w.facts.Paused[q.Flow].Holds),
		"tenant":     tenantOf(pl, w),
		"subject": types.NewRecord(types.RecordMap{
			"known":    types.Boolean(q.Subject.Known),
			"states":   setOf(named(StateNames, uint8(q.Subject.States))),
			"opt_outs": setOf(named(OptOutNames, uint8(q.Subject.OptOuts))),
			"consents": types.Boolean(slices.Contains(q.Subject.Consents, purpose)),
			"objects":  types.Boolean(slices.Contains(q.Subject.Objects, purpose)),
		}),
		"facts": facts,
	})
}

func tenantOf(pl *plan, w *world) types.Record {
	var enabled, objects []string
	if pl != nil {
		for i := range pl.base {
			switch c := &pl.base[i].cond; {
			case c.op == opEnabled && c.simple(w):
				enabled = append(enabled, c.key)
			case c.op == opNoObjection && !c.simple(w):
				objects = append(objects, c.key)
			}
		}
	}
	pin, pinned := w.facts.Pins[w.q.Tenant]
	return types.NewRecord(types.RecordMap{
		"id": types.String(w.q.Tenant), "enabled": setOf(enabled), "objects": setOf(objects),
		"pinned": types.Boolean(pinned), "pin": setOf(pin),
	})
}

// factRecord are the facts that hold, for a request's context.
func factRecord(f *register.Facts) types.Record {
	m := make(types.RecordMap, len(f.ByKey))
	for k, x := range f.ByKey {
		if x.Holds {
			m[types.String(k)] = types.NewRecord(types.RecordMap{"from": types.Long(x.From), "until": types.Long(x.Until)})
		}
	}
	return types.NewRecord(m)
}

func setOf(words []string) types.Set {
	v := make([]types.Value, len(words))
	for i, s := range words {
		v[i] = types.String(s)
	}
	return types.NewSet(v...)
}

func named(names []string, bits uint8) (out []string) {
	for i, n := range names {
		if bits&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}
