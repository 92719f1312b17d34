package postgres

import (
	"errors"
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store/sqlstore"
)

// stampPrefix begins the comment on a database that belongs to a region. Comments on databases are
// seen from every database of the server; tables are not.
const stampPrefix = "Domicile region "

// metaServer names the meta value that holds the system identifier of the server, which its physical
// copies share.
const metaServer = "server"

// stamp binds the database to the region and refuses one that is bound to another, or whose server
// another region uses where that is not allowed.
func (db *DB) stamp(t *tx) error {
	if db.opt.Region == "" {
		return nil
	}
	if err := sqlstore.Stamp(t, db.opt.Region); err != nil {
		return err
	}
	var server, comment string
	if err := t.Query(`SELECT system_identifier::text, coalesce(shobj_description(d.oid, 'pg_database'), '')
		FROM pg_control_system(), pg_database d WHERE d.datname = current_database()`, func(r sqlstore.Row) error {
		server, comment = r.Text(0), r.Text(1)
		return nil
	}); err != nil {
		return err
	}
	if err := (sqlstore.Metas{}).PutMeta(t, metaServer, []byte(server)); err != nil {
		return err
	}
	if db.opt.ExclusiveServer {
		if err := db.alone(t); err != nil {
			return err
		}
	}
	if comment == stampPrefix+db.opt.Region {
		return nil
	}
	return db.comment(t)
}

// comment puts the region on the database for the others on its server to see. Only the database's
// owner may; where that is somebody else, it matters only to those who must be alone.
func (db *DB) comment(t *tx) error {
	owner := false
	if err := t.Query(`SELECT pg_has_role(datdba, 'USAGE')::int FROM pg_database WHERE datname = current_database()`,
		func(r sqlstore.Row) error { owner = r.Int(0) == 1; return nil }); err != nil {
		return err
	}
	switch {
	case owner:
		// COMMENT takes no parameters; the region's id was checked against the programme, and quotes
		// are doubled all the same.
		var stmt string
		if err := t.Query(`SELECT format('COMMENT ON DATABASE %I IS %L', current_database(), $1::text)`,
			func(r sqlstore.Row) error { stmt = r.Text(0); return nil }, stampPrefix+db.opt.Region); err != nil {
			return err
		}
		_, err := t.Exec(stmt)
		return err
	case db.opt.ExclusiveServer:
		return fault.New(fault.Forbidden, "store.not_owner", "this role doesn't own the database, so it can't mark the server as its region's").
			WithHint("let the role of the store's URL own the database: ALTER DATABASE … OWNER TO …")
	}
	return nil
}

var errShared = errors.New("two regions that share a server share its write-ahead log and its backups")

// alone refuses a server on which another region has a database.
func (db *DB) alone(t *tx) error {
	var other, region string
	err := t.Query(`SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database
		WHERE datname <> current_database() AND shobj_description(oid, 'pg_database') LIKE $1`, func(r sqlstore.Row) error {
		if is := strings.TrimPrefix(r.Text(1), stampPrefix); is != db.opt.Region {
			other, region = r.Text(0), is
		}
		return nil
	}, stampPrefix+"%")
	if err != nil || other == "" {
		return err
	}
	return fault.New(fault.Conflict, "store.shared_server", "region %s has a database (%s) on this PostgreSQL server", region, other).
		WithHint("give each region a server of its own; if that region has left, drop its database").Because(errShared)
}
