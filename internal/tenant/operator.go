package tenant

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"domicile.dev/internal/fault"
)

// OperatorToken returns the operator's credential from the file at path, which it makes, readable
// by its owner alone, when it is missing. To rotate it, replace or delete the file and restart;
// nodes behind one address are given the same file. It is in no database: whoever can read the
// file can read the node's keys as well.
func OperatorToken(path, region string) (string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeOperatorToken(path, region)
	} else if err != nil {
		return "", fmt.Errorf("read the operator's token: %w", err)
	}
	if st, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("read the operator's token: %w", err)
	} else if st.Mode().Perm()&0o007 != 0 {
		return "", fault.New(fault.Invalid, "operator.exposed", "%s can be read by everyone on this machine", path).WithHint("chmod 600 " + path)
	}
	token := strings.TrimSpace(string(b))
	if kind, r, ok := split(token); !ok || kind != kindOperator || r != region {
		return "", fault.New(fault.Invalid, "operator.bad_token", "%s does not hold an operator token of region %s", path, region).
			WithHint("delete it and start again: a new one is made")
	}
	return token, nil
}

// makeOperatorToken writes the file whole or not at all.
func makeOperatorToken(path, region string) (string, error) {
	token, _ := newKey(kindOperator, region)
	f, err := os.CreateTemp(filepath.Dir(path), ".operator-*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("make the operator's token: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(token + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("write the operator's token: %w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return "", fmt.Errorf("put the operator's token in place: %w", err)
	}
	return token, nil
}
