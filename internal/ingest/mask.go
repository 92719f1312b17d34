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

// MaskNames is MaskPath for paths without places in lists: numbers are names, too.
func MaskNames(path string, known func(name string) bool) string {
	names := strings.Split(path, ".")
	for i, name := range names {
		if !known(name) && !placeWord(name) {
			names[i] = "*"
		}
	}
	return short(strings.Join(names, "."))
}

// FieldPath returns path with each name replaced by "*" that doesn't look like a field's: letters,
// digits, blanks, "_", "-" and "$", a letter, "_" or "$" first, at most 64 of them.
func FieldPath(path string) string {
	names := strings.Split(path, ".")
	for i, name := range names {
		if !fieldName(name) {
			names[i] = "*"
		}
	}
	return short(strings.Join(names, "."))
}

func fieldName(name string) bool {
	if name == "" || len(name) > 64 || name[0] >= '0' && name[0] <= '9' {
		return false
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-$ ", c) >= 0) {
			return false
		}
	}
	return true
}

func place(name string) bool {
	if name == "" || len(name) > 4 {
		return false
	}
	return strings.Trim(name, "0123456789") == ""
}
