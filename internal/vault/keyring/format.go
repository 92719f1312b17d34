package keyring

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	rawBytes  = 32
	firstLine = "domicile key 1"
	sumHex    = 16 // hex digits of the checksum
)

// key is what a key file says.
type key struct {
	name, region string
	created      time.Time
	raw          []byte
}

// text returns the file's bytes.
func (k key) text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nname: %s\nregion: %s\ncreated: %s\nkey: %s\n",
		firstLine, k.name, k.region, k.created.UTC().Format(time.RFC3339), hex.EncodeToString(k.raw))
	fmt.Fprintf(&b, "sum: %s\n", sum(b.Bytes()))
	return b.Bytes()
}

// sum finds torn and damaged files; it protects from nobody.
func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])[:sumHex]
}

// parseKey reads a key file. Its errors tell nothing of the key.
func parseKey(b []byte) (k key, err error) {
	lines := strings.Split(string(b), "\n")
	if len(lines) < 2 || lines[0] != firstLine {
		return k, errors.New("it does not begin with \"" + firstLine + "\"")
	}
	if len(lines) != 7 || lines[6] != "" {
		return k, errors.New("it does not have six lines")
	}
	var value [7]string
	for i, label := range []string{1: "name: ", "region: ", "created: ", "key: ", "sum: "} {
		var ok bool
		if value[i], ok = strings.CutPrefix(lines[i], label); i > 0 && !ok {
			return k, fmt.Errorf("line %d does not begin with %q", i+1, label)
		}
	}
	if end := len(b) - len("sum: \n") - len(value[5]); value[5] != sum(b[:end]) {
		return k, errors.New("its checksum is wrong")
	}
	k.name, k.region = value[1], value[2]
	if k.created, err = time.Parse(time.RFC3339, value[3]); err != nil {
		return k, errors.New("its time of creation is no RFC 3339 time")
	}
	if k.raw, err = hex.DecodeString(value[4]); err != nil || len(k.raw) != rawBytes {
		return key{}, errors.New("its key is not 64 hex digits")
	}
	return k, nil
}
