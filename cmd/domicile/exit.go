package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"domicile.dev/internal/fault"
)

// Exit codes, a promise of `domicile help`.
const (
	exitDone   = 0
	exitFailed = 1
	exitWrong  = 2 // the call or its input was wrong; nothing was done
	exitBad    = 3 // done, and the answer is bad: a broken ledger, drift, a denial
)

// exitError ends the program with code. With no err nothing more is printed: the command has
// said on stdout what is bad.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// exits maps each kind of fault to its exit code: 2 where another call would do, else 1.
var exits = map[fault.Kind]int{
	fault.Internal:        exitFailed,
	fault.Invalid:         exitWrong,
	fault.Unauthenticated: exitFailed,
	fault.Forbidden:       exitFailed,
	fault.NotFound:        exitFailed,
	fault.Conflict:        exitFailed,
	fault.Gone:            exitFailed,
	fault.TooLarge:        exitWrong,
	fault.WrongRegion:     exitWrong,
	fault.Unprocessable:   exitWrong,
	fault.RateLimited:     exitFailed,
	fault.Unavailable:     exitFailed,
}

// report prints err, when there is something to say, and returns the exit code.
func report(e *env, err error) int {
	if err == nil {
		return exitDone
	}
	code := exits[fault.KindOf(err)]
	var x *exitError
	if errors.As(err, &x) {
		if code = x.code; x.err == nil {
			return code
		}
		err = x.err
	}
	f, ok := fault.As(err)
	switch {
	case !ok && e.ctx.Err() != nil && errors.Is(err, context.Canceled):
		f = fault.New(fault.Internal, "interrupted", "interrupted")
	case !ok:
		f = fault.New(fault.Internal, "internal", "%s", err.Error())
	case f.Err != nil: // here the one who reads is the one who may see the log
		c := *f
		c.Public = strings.TrimPrefix(f.Public+": "+f.Err.Error(), ": ")
		f = &c
	}
	if e.json {
		printJSONError(e, f)
		return code
	}
	_, _ = fmt.Fprintf(e.err, "error: %s\n", sentence(f.Public))
	printWhere(e, f)
	if f.Hint != "" {
		_, _ = fmt.Fprintf(e.err, "hint: %s\n", sentence(f.Hint))
	}
	return code
}

// printWhere writes a line for each place of a request that the node found wrong: its `errors`.
func printWhere(e *env, f *fault.Error) {
	all, _ := f.Extra["errors"].([]any)
	for _, one := range all {
		if m, ok := one.(map[string]any); ok {
			_, _ = fmt.Fprintf(e.err, "  %v: %v\n", m["at"], m["message"])
		}
	}
}

// printJSONError writes one object: error, reason, hint, and the fault's own members.
func printJSONError(e *env, f *fault.Error) {
	m := map[string]any{}
	maps.Copy(m, f.Extra)
	m["error"], m["reason"] = sentence(f.Public), f.Reason
	if f.Hint != "" {
		m["hint"] = sentence(f.Hint)
	}
	b, err := json.Marshal(m)
	if err != nil {
		b = []byte(`{"error":"internal error","reason":"internal"}`)
	}
	_, _ = fmt.Fprintf(e.err, "%s\n", b)
}

// sentence gives s the house form: lower case at the start unless an abbreviation or a name
// stands there, no full stop at the end.
func sentence(s string) string {
	s = strings.TrimRight(strings.TrimSpace(s), ".")
	first, n := utf8.DecodeRuneInString(s)
	second, _ := utf8.DecodeRuneInString(s[n:])
	if unicode.IsUpper(first) && unicode.IsLower(second) {
		return string(unicode.ToLower(first)) + s[n:]
	}
	return s
}
