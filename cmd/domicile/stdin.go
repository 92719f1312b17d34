package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"

	xterm "golang.org/x/term"

	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
)

// maxStdin is far more than a person has identifiers.
const maxStdin = 64 << 10

// subjectOf returns the subject id in arg, or else whom the identifiers on stdin name.
func subjectOf(e *env, c *client.Client, arg string) (string, error) {
	switch {
	case strings.HasPrefix(arg, "sub_"):
		return arg, nil
	case arg != "" && arg != "-":
		return "", fault.New(fault.Invalid, "call.identifier_in_arguments", "that is no subject id").
			WithHint("a subject id begins with sub_; identifiers of people come on stdin, as in: echo 'email ann@example.com' | domicile subject find")
	}
	f, err := find(e, c)
	return f.Subject, err
}

// find asks whom the identifiers on stdin name.
func find(e *env, c *client.Client) (client.Found, error) {
	ids, err := readIdentifiers(e)
	if err != nil {
		return client.Found{}, err
	}
	return c.Find(e.ctx, ids...)
}

// readIdentifiers reads a person's identifiers from stdin: a line each, "type value", or JSON as
// the API takes it, or only its list.
func readIdentifiers(e *env) ([]client.Identifier, error) {
	if f, ok := e.in.(*os.File); ok && xterm.IsTerminal(int(f.Fd())) {
		e.say("a person's identifiers, a line each, as in: email ann@example.com (ctrl-D ends)")
	}
	b, err := io.ReadAll(io.LimitReader(e.in, maxStdin+1))
	if err != nil {
		return nil, fault.New(fault.Invalid, "stdin.unreadable", "stdin cannot be read").Because(err)
	}
	if len(b) > maxStdin {
		return nil, fault.New(fault.Invalid, "stdin.too_large", "stdin has more than %d bytes", maxStdin)
	}
	ids, err := parseIdentifiers(b)
	if err == nil && len(ids) == 0 {
		err = fault.New(fault.Invalid, "stdin.empty", "there are no identifiers on stdin").
			WithHint("as in: echo 'email ann@example.com' | domicile subject find")
	}
	return ids, err
}

// readSecret reads a vendor's secret from stdin, a line, or a key in PEM: arguments can be read by everybody on the
// machine and stay in the shell's history. It never says what it read.
func readSecret(e *env) (string, error) {
	if f, ok := e.in.(*os.File); ok && xterm.IsTerminal(int(f.Fd())) {
		e.say("the secret that the vendor signs with, a line; it is shown as you type (ctrl-D ends)")
	}
	b, err := io.ReadAll(io.LimitReader(e.in, maxStdin))
	if err != nil {
		return "", fault.New(fault.Invalid, "stdin.unreadable", "stdin cannot be read").Because(err)
	}
	secret := strings.TrimSpace(string(b))
	switch {
	case secret == "":
		return "", fault.New(fault.Invalid, "stdin.empty", "there is no secret on stdin").
			WithHint("as in: domicile source create --adapter twilio <auth-token.txt")
	case strings.ContainsAny(secret, "\r\n") && !strings.HasPrefix(secret, "-----BEGIN "):
		return "", fault.New(fault.Invalid, "stdin.bad_secret", "stdin has more than one line, a secret is one")
	}
	return secret, nil
}

// parseIdentifiers never says what it read: it is somebody's.
func parseIdentifiers(b []byte) (ids []client.Identifier, err error) {
	b = bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")))
	bad := fault.New(fault.Invalid, "stdin.bad_json", "stdin is not the JSON of identifiers").
		WithHint(`as in: [{"type":"email","value":"ann@example.com"}]`)
	switch {
	case bytes.HasPrefix(b, []byte("[")):
		if json.Unmarshal(b, &ids) != nil {
			return nil, bad
		}
	case bytes.HasPrefix(b, []byte("{")):
		var one struct {
			client.Identifier
			Identifiers []client.Identifier `json:"identifiers"`
		}
		if json.Unmarshal(b, &one) != nil {
			return nil, bad
		}
		if ids = one.Identifiers; one.Type != "" {
			ids = append(ids, one.Identifier)
		}
	default:
		n := 0
		for line := range strings.Lines(string(b)) {
			n++
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			typ, value, _ := strings.Cut(line, " ")
			if value = strings.TrimSpace(value); value == "" {
				return nil, fault.New(fault.Invalid, "stdin.bad_line", "line %d of stdin is not a type and a value", n).
					WithHint("as in: email ann@example.com")
			}
			ids = append(ids, client.Identifier{Type: typ, Value: value})
		}
	}
	for _, ident := range ids {
		if ident.Type == "" || ident.Value == "" {
			return nil, bad
		}
	}
	return ids, nil
}
