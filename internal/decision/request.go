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

// ask builds the request of a question in one form. s is what the caller keeps of the register.
func ask(p *programme.Programme, pl *plan, w *world, s *seen) *request {
	q, kind := w.q, types.String(w.q.Service+"/"+w.q.Kind)
	categories := q.Categories.Words()
	r := &request{dataIn: make([]types.EntityUID, 0, 12)}
	r.dataIn = append(r.dataIn, uid("Flow", q.Flow), uid("Region", q.Region), uid("Service", q.Service), types.EntityUID{Type: "Kind", ID: kind}, uid("Tenant", q.Tenant))
	for _, c := range categories {
		r.dataIn = append(r.dataIn, uid("Category", c))
	}
	r.data = types.Entity{UID: uid("Data", q.Flow), Parents: types.NewEntityUIDSet(r.dataIn...), Attributes: attributes(pl, w)}
	if pl != nil && q.Recipient == pl.f.To {
		r.recipient, r.recipientIn = pl.recipient, pl.recipientIn
	} else {
		r.recipient, r.recipientIn = recipientEntity(p, q.Recipient, nil)
	}
	r.Request = cedar.Request{Principal: r.recipient.UID, Action: transfer, Resource: r.data.UID, Context: contextOf(pl, w, s, kind, categories)}
	return r
}

// recipientEntity lies in its class and in the countries that data would reach.
func recipientEntity(p *programme.Programme, id string, countries []string) (types.Entity, []types.EntityUID) {
	var in []types.EntityUID
	if x := p.Recipient(id); x != nil {
		in = append(in, uid("Class", x.Class))
	}
	for _, c := range countries {
		in = append(in, uid("Country", c))
	}
	return types.Entity{UID: uid("Recipient", id), Parents: types.NewEntityUIDSet(in...)}, in
}

// attributes are those of the data. What most questions have is made once a flow.
func attributes(pl *plan, w *world) types.Record {
	paused, open := w.facts.Paused[w.q.Flow].Holds, (&cond{op: opCase, key: w.q.Recipient}).simple(w)
	if pl != nil && !paused && !open && w.q.Purpose == pl.f.Purpose && w.q.Region == pl.f.From {
		return pl.attributes
	}
	return attributeRecord(w.q.Purpose, w.q.Region, paused, open)
}

func attributeRecord(purpose, region string, paused, open bool) types.Record {
	return types.NewRecord(types.RecordMap{"purpose": types.String(purpose), "region": types.String(region), "paused": types.Boolean(paused), "case_open": types.Boolean(open)})
}

// contextOf has eight members, which is as many as a small map holds: a ninth would double its cost.
func contextOf(pl *plan, w *world, s *seen, kind types.String, categories []string) types.Record {
	q, purpose, consents := w.q, w.q.Purpose, w.counts()
	if pl != nil {
		purpose = pl.f.Purpose // what a person says counts for what the flow is for, whatever is asked
	}
	laws := types.Set{}
	if pl != nil && !q.broughtAny() && q.Region == pl.f.From {
		laws = pl.lawSet
	} else {
		laws = setOf(w.laws)
	}
	tenant, ok := s.tenants[q.Tenant]
	if !ok {
		tenant = nobody
	}
	return types.NewRecord(types.RecordMap{
		"form":       formValues[w.form],
		"day":        types.Long(w.day),
		"laws":       laws,
		"kind":       kind,
		"categories": setOf(categories),
		"tenant":     tenant,
		"subject":    subjectOf(&q.Subject, consents, slices.Contains(q.Subject.Objects, purpose)),
		"facts":      s.record,
	})
}

// Values that most requests share: making a record costs a microsecond.
var (
	formValues = [forms]types.Value{types.String("clear"), types.String("pseudonymised"), types.String("aggregated")}
	nobody     = tenantRecord(register.Tenant{}) // a customer of whom the register says nothing
	persons    = makePersons()                   // known, consents, objects; nothing else against them
)

func tenantRecord(t register.Tenant) types.Record {
	return types.NewRecord(types.RecordMap{"enabled": setOf(t.Enabled), "objects": setOf(t.Objects), "pinned": types.Boolean(t.Pinned), "pin": setOf(t.Pin)})
}

func makePersons() (out [8]types.Record) {
	for i := range out {
		out[i] = subjectRecord(&Subject{Known: i&4 > 0}, i&2 > 0, i&1 > 0)
	}
	return out
}

func subjectOf(s *Subject, consents, objects bool) types.Record {
	if s.States != 0 || s.OptOuts != 0 {
		return subjectRecord(s, consents, objects)
	}
	i := 0
	for _, bit := range []bool{s.Known, consents, objects} {
		if i <<= 1; bit {
			i++
		}
	}
	return persons[i]
}

func subjectRecord(s *Subject, consents, objects bool) types.Record {
	return types.NewRecord(types.RecordMap{
		"known":    types.Boolean(s.Known),
		"states":   setOf(named(StateNames, uint8(s.States))),
		"opt_outs": setOf(named(OptOutNames, uint8(s.OptOuts))),
		"consents": types.Boolean(consents),
		"objects":  types.Boolean(objects),
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

// forCedar adds to what is seen of a register what requests need.
func (s *seen) forCedar() {
	s.record, s.tenants = factRecord(s.Facts), make(map[string]types.Record, len(s.Tenants))
	for id, t := range s.Tenants {
		s.tenants[id] = tenantRecord(t)
	}
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
