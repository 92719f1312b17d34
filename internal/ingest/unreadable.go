package ingest

import (
	"errors"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/scan"
)

// bodyReason are the reasons for which a body as a whole can't be read.
var bodyReason = [...]string{scan.Syntax: "body.not_json", scan.Truncated: "body.truncated", scan.Duplicate: "body.duplicate_member",
	scan.TooDeep: "body.too_deep", scan.TooManyMembers: "body.too_many_members", scan.BadUTF8: "body.bad_utf8"}

// Unreadable makes an error of the scanner, which says where a body can't be read, the client's
// fault: of kind Invalid, with a reason body.… that names no content. Any other error, and nil, it
// returns as it is.
func Unreadable(err error) error {
	var e *scan.Error
	if !errors.As(err, &e) {
		return err
	}
	return fault.New(fault.Invalid, bodyReason[e.Code], "the body can't be read from byte %d on", e.Offset).Because(err)
}
