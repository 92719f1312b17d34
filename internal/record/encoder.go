package record

// Encoder makes rows without a store: the same bytes that Append writes, de-duplicated in memory.
// It exists for the benchmark that compares a store with a file. It is not safe for concurrent use.
type Encoder struct {
	seen map[key]struct{}
	sets map[string]*setBuilder
	rows int // bytes at which a row is cut
}

// NewEncoder returns an Encoder that cuts rows as a Log on SQLite does.
func NewEncoder() *Encoder {
	return &Encoder{seen: map[key]struct{}{}, sets: map[string]*setBuilder{}, rows: Options{}.withDefaults("sqlite").RowBytes}
}

// encoderRemembers bounds how many client keys an Encoder compares with.
const encoderRemembers = 1 << 20

// Rows returns the rows of a commit group. They are good until the next call.
func (e *Encoder) Rows(chunks []*Chunk) (rows [][]byte, err error) {
	if err := check(chunks); err != nil {
		return nil, err
	}
	if len(e.seen) > encoderRemembers {
		clear(e.seen)
	}
	var open []*setBuilder
	for _, c := range chunks {
		for i := range c.Records {
			r := &c.Records[i]
			k := makeKey(c.Tenant, r.ClientKey)
			if _, duplicate := e.seen[k]; duplicate {
				continue
			}
			e.seen[k] = struct{}{}
			classes := classesOf(r.Shape)
			sig := string(classBytes(classes))
			b := e.sets[sig]
			if b == nil {
				b = newSetBuilder(classes)
				e.sets[sig] = b
			}
			if b.records == 0 {
				open = append(open, b)
			}
			if b.add(c, r); b.size() >= e.rows || b.records == maxRowRecords {
				rows = append(rows, b.finish()...)
				b.reset()
			}
		}
	}
	for _, b := range open {
		if b.records > 0 {
			rows = append(rows, b.finish()...)
			b.reset()
		}
	}
	return rows, nil
}

func classBytes(classes []uint16) []byte {
	b := make([]byte, 0, 2*len(classes))
	for _, c := range classes {
		b = be.AppendUint16(b, c)
	}
	return b
}
