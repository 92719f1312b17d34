package sqlstore

import (
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
)

// arrivalDDL is which record of the source became which here, and which media of it came, for as long
// as a move is open: what is sent of a record later needs to find it.
//
// Thief's gain: random ids of another region's records, and sizes of media.
const arrivalDDL = `
CREATE TABLE arrived_record (
	tenant integer NOT NULL,
	move   text    NOT NULL,
	source bytea   NOT NULL, -- 16 bytes, the record at the source
	record bytea   NOT NULL, -- 16 bytes, the record here
	PRIMARY KEY (tenant, move, source)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE arrived_media (
	tenant integer NOT NULL,
	move   text    NOT NULL,
	source bytea   NOT NULL, -- 16 bytes, the record at the source
	n      integer NOT NULL, -- its number in the record
	media  bytea   NOT NULL, -- 12 bytes, what it is called at the source
	size   bigint  NOT NULL, -- of the content, bytes
	PRIMARY KEY (tenant, move, source, n)
) /*sqlite: WITHOUT ROWID */;
`

func recordArg(r id.Record) []byte { b := r.Bytes(); return b[:] }

// PutArrivedRecords implements plane.MoveStore.
func (Moves) PutArrivedRecords(tx store.Tx, tenant uint32, move string, list []plane.ArrivedRecord) error {
	args := make([][]any, len(list))
	for i, r := range list {
		args[i] = []any{tenant, move, recordArg(r.Source), recordArg(r.Record)}
	}
	return conn(tx).ExecEach(`INSERT INTO arrived_record (tenant, move, source, record) VALUES ($1, $2, $3, $4)`, args)
}

// ArrivedRecords implements plane.MoveStore.
func (Moves) ArrivedRecords(tx store.Tx, tenant uint32, move string, sources []id.Record, each func(i int, here id.Record)) error {
	args := make([][]any, len(sources))
	for i, s := range sources {
		args[i] = []any{tenant, move, recordArg(s)}
	}
	return conn(tx).QueryEach(`SELECT record FROM arrived_record WHERE tenant = $1 AND move = $2 AND source = $3`, args,
		func(i int, r Row) error {
			each(i, id.RecordOf([16]byte(append(r.Bytes(0), make([]byte, 16)...))))
			return nil
		})
}

// PutArrivedMedium implements plane.MoveStore.
func (Moves) PutArrivedMedium(tx store.Tx, tenant uint32, move string, m plane.MediumAt) error {
	_, err := conn(tx).Exec(`INSERT INTO arrived_media (tenant, move, source, n, media, size) VALUES ($1, $2, $3, $4, $5, $6)`,
		tenant, move, recordArg(m.Record), m.N, m.Media[:], m.Bytes)
	return err
}

// ArrivedMedia implements plane.MoveStore.
func (Moves) ArrivedMedia(tx store.Tx, tenant uint32, move string, each func(plane.MediumAt)) error {
	return conn(tx).Query(`SELECT source, n, media, size FROM arrived_media WHERE tenant = $1 AND move = $2 ORDER BY source, n`,
		func(r Row) error {
			m := plane.MediumAt{Record: id.RecordOf([16]byte(append(r.Bytes(0), make([]byte, 16)...))), N: int(r.Int(1)), Bytes: r.Int(3)}
			copy(m.Media[:], r.Bytes(2))
			each(m)
			return nil
		}, tenant, move)
}

// HaveArrived implements plane.MoveStore.
func (Moves) HaveArrived(tx store.Tx, tenant uint32, move string, list []plane.MediumAt, each func(i int)) error {
	args := make([][]any, len(list))
	for i, m := range list {
		args[i] = []any{tenant, move, recordArg(m.Record), m.N}
	}
	return conn(tx).QueryEach(`SELECT 1 FROM arrived_media WHERE tenant = $1 AND move = $2 AND source = $3 AND n = $4`, args,
		func(i int, _ Row) error { each(i); return nil })
}

// DropArrival implements plane.MoveStore.
func (Moves) DropArrival(tx store.Tx, tenant uint32, move string) error {
	c := conn(tx)
	if _, err := c.Exec(`DELETE FROM arrived_media WHERE tenant = $1 AND move = $2`, tenant, move); err != nil {
		return err
	}
	_, err := c.Exec(`DELETE FROM arrived_record WHERE tenant = $1 AND move = $2`, tenant, move)
	return err
}
