package sqlite

import "context"

// frameBytes is what a page takes in the write-ahead log.
const frameBytes = 4096 + 24

// wal is the state of the write-ahead log, in pages.
type wal struct{ length, copied int64 }

// checkpoint copies pages from the write-ahead log into the database, as far as how goes, and says
// how far it got. NOOP copies nothing.
func (k *conn) checkpoint(how string) (w wal, err error) {
	s, err := k.prepare("PRAGMA wal_checkpoint(" + how + ")")
	if err != nil {
		return w, err
	}
	defer s.Reset()
	if _, err = s.Step(); err != nil {
		return w, translate("checkpoint", err)
	}
	return wal{length: s.ColumnInt64(1), copied: s.ColumnInt64(2)}, nil
}

// grew wakes the copying after a commit.
func (db *DB) grew() {
	select {
	case db.committed <- struct{}{}:
	default: // it is awake
	}
}

// runCheckpoints copies the write-ahead log in the background, on a connection of its own, so that
// no commit pays for it. SQLite starts the log over from its beginning when a commit finds all of
// it copied and no reader inside. Under steady load that never happens by itself, because the log
// grows while it is copied; so, once it is twice as long as it should be, the rest is copied while
// commits wait. That rest is short.
func (db *DB) runCheckpoints() {
	var k *conn
	var tried int64 // length at the last attempt, so that a long reader doesn't make us spin
	limit := max(db.opt.CheckpointBytes/frameBytes, 1)
	for {
		select {
		case <-db.stop:
			if k != nil {
				_ = k.close()
			}
			return
		case <-db.committed:
		}
		var err error
		if k == nil {
			if k, err = db.openConn(writing); err != nil {
				db.opt.Log.Warn("checkpoint connection failed", "error", err)
				continue
			}
		}
		w, err := k.checkpoint("NOOP")
		if w.length < tried {
			tried = 0 // it started over
		}
		if err == nil && w.length-max(w.copied, tried) >= limit {
			tried = w.length
			w, err = k.checkpoint("PASSIVE")
			if err == nil && w.length >= 2*limit {
				w, err = db.checkpointAlone(k)
			}
		}
		if err != nil {
			db.opt.Log.Warn("checkpoint failed", "error", err)
			_ = k.close()
			k = nil
		}
	}
}

// checkpointAlone copies what is left while no commit runs.
func (db *DB) checkpointAlone(k *conn) (wal, error) {
	c, err := db.take(context.Background(), db.writer, writing)
	if err != nil {
		return wal{}, err
	}
	defer func() { db.writer <- c }()
	return k.checkpoint("PASSIVE")
}
