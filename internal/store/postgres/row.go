package postgres

import (
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"domicile.dev/internal/store/sqlstore"
)

// convert makes arguments into the four types that both engines bind alike: int64, string, []byte
// and nil.
func convert(args []any) ([]any, error) {
	all := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case nil:
		case string:
			all[i] = v
		case []byte:
			if v == nil {
				v = []byte{} // pgx would write NULL
			}
			all[i] = v
		default:
			n, ok := sqlstore.Int(a)
			if !ok {
				return nil, fmt.Errorf("argument %d: no column holds a %T of that size", i+1, a)
			}
			all[i] = n
		}
	}
	return all, nil
}

// row is the row a result stands on. It reads the wire's bytes itself: no reflection on the way.
type row struct {
	t    *tx
	rows pgx.Rows
	raw  [][]byte
}

func (r *row) value(i int) []byte {
	if r.raw == nil {
		r.raw = r.rows.RawValues()
	}
	return r.raw[i]
}

// Null says whether column i is NULL.
func (r *row) Null(i int) bool { return r.value(i) == nil }

// Text returns column i as text.
func (r *row) Text(i int) string { return string(r.value(i)) }

// Bytes returns a copy of column i.
func (r *row) Bytes(i int) []byte { return r.BytesInto(nil, i) }

// BytesInto returns a copy of column i, in the memory of b where that suffices.
func (r *row) BytesInto(b []byte, i int) []byte {
	v := r.value(i)
	if v == nil {
		return nil
	}
	if b == nil || cap(b) < len(v) {
		b = make([]byte, 0, len(v))
	}
	return append(b[:0], v...)
}

// Int returns column i as an integer. A column that is none fails the transaction.
func (r *row) Int(i int) (n int64) {
	v := r.value(i)
	if v == nil {
		return 0
	}
	f := r.rows.FieldDescriptions()[i]
	if f.Format == pgtype.BinaryFormatCode {
		switch f.DataTypeOID {
		case pgtype.Int8OID:
			return int64(binary.BigEndian.Uint64(v))
		case pgtype.Int4OID:
			return int64(int32(binary.BigEndian.Uint32(v)))
		case pgtype.Int2OID:
			return int64(int16(binary.BigEndian.Uint16(v)))
		case pgtype.BoolOID:
			return int64(v[0])
		}
	}
	if err := r.t.c.TypeMap().Scan(f.DataTypeOID, f.Format, v, &n); err != nil { // sums are numeric
		_ = r.t.fail("", fmt.Errorf("column %d is no integer", i))
	}
	return n
}
