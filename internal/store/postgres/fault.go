package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"domicile.dev/internal/fault"
)

// serverError is a server's error with what is safe to log. Messages of classes 22 and 23 quote
// values, details always do.
type serverError struct{ pg *pgconn.PgError }

func (e serverError) Error() string {
	s := "SQLSTATE " + e.pg.Code
	if e.pg.TableName != "" {
		s += " on " + e.pg.TableName
	}
	if e.pg.ConstraintName != "" {
		s += " by " + e.pg.ConstraintName
	}
	if class := e.pg.Code[:min(2, len(e.pg.Code))]; class != "22" && class != "23" {
		s += ": " + e.pg.Message
	}
	return s
}

// translate turns errors of the driver into faults: what can pass is Unavailable, so that clients
// keep their data and try again; broken data is Internal.
func translate(what string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := fault.As(err); ok {
		return err
	}
	pg := new(pgconn.PgError)
	if !errors.As(err, &pg) {
		switch {
		case errors.Is(err, context.Canceled), errors.Is(err, errBusy):
			return err
		case errors.Is(err, puddle.ErrClosedPool):
			return fault.New(fault.Unavailable, "store.closed", "the store is closed")
		case isLost(err):
			return unavailable(what, err)
		}
		return fmt.Errorf("%.80s: %w", what, err)
	}
	safe := serverError{pg}
	switch {
	case pg.Code == "53100":
		return fault.New(fault.Unavailable, "store.full", "the store's disk is full").
			WithHint("free space on the PostgreSQL server; nothing that was acknowledged is lost").Because(safe)
	case hasState(err, "40001", "40P01"):
		return &conflict{safe}
	case inClass(pg.Code, "08", "28", "3D", "53", "55", "57", "58") || pg.Code == "25006":
		return unavailable(what, safe)
	case inClass(pg.Code, "XX"):
		return fault.New(fault.Internal, "store.corrupt", "PostgreSQL reports damaged data").
			WithHint("see the PostgreSQL server's log; restore from a backup or fail over to another server").Because(safe)
	}
	return fmt.Errorf("%.80s: %w", what, safe)
}

// conflict is an error after which the same transaction may run again.
type conflict struct{ error }

func (c *conflict) Unwrap() error { return c.error }

func isConflict(err error) bool { c := new(conflict); return errors.As(err, &c) }

// outcome is the fault of a commit that did not answer "COMMIT". Only an error of severity ERROR
// proves that nothing was committed.
func outcome(what string, err error) error {
	pg := new(pgconn.PgError)
	if errors.As(err, &pg) && (pg.SeverityUnlocalized == "ERROR" || pg.SeverityUnlocalized == "" && pg.Severity == "ERROR") {
		return translate(what, err)
	}
	return fault.New(fault.Unavailable, "store.unknown_outcome", "the connection was lost during the commit: it may or may not be stored").
		WithHint("send the same again: what is stored already is found to be a duplicate").
		Because(translate(what, err))
}

func notReplicated() error {
	return fault.New(fault.Unavailable, "store.not_replicated", "stored on one server only, so not acknowledged").
		WithHint("send the same again: it is acknowledged once a second server has it")
}

func unavailable(what string, err error) error {
	return fault.New(fault.Unavailable, "store.unavailable", "the store can't be reached for now").
		WithHint("see the node's log; nothing that was acknowledged is lost").Because(fmt.Errorf("%.80s: %w", what, err))
}

// isLost says whether err means that the connection is gone or its server can't serve.
func isLost(err error) bool {
	pg := new(pgconn.PgError)
	if errors.As(err, &pg) {
		return inClass(pg.Code, "08", "57") || pg.Code == "25006" // 25006: a primary that became a standby
	}
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded)
}

func hasState(err error, codes ...string) bool {
	pg := new(pgconn.PgError)
	return errors.As(err, &pg) && slices.Contains(codes, pg.Code)
}

func inClass(code string, classes ...string) bool {
	return len(code) == 5 && slices.Contains(classes, code[:2])
}
