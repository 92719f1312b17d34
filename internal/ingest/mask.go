package ingest

import "strings"

// MaskPath returns path with each name that known does not know replaced by "*". A name that
// holds a dot counts as several. Numbers of up to four digits, which adapters put for the place
// in a list, stay.
func MaskPath(path string, known func(name string) bool) string {
	if path == "" {
		return ""
	}
	names := strings.Split(path, ".")
	for i, name := range names {
		if !known(name) && !place(name) {
			names[i] = "*"
		}
	}
	return strings.Join(names, ".")
}

func place(name string) bool {
	if name == "" || len(name) > 4 {
		return false
	}
	return strings.Trim(name, "0123456789") == ""
}
