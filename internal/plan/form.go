package plan

import (
	"bytes"
	"net/mail"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"domicile.dev/internal/scan"
)

// Form is what a value is like, from which the value can't be told.
type Form string

// The forms.
const (
	FormNothing Form = "nothing"
	FormBoolean Form = "boolean"
	FormInteger Form = "integer"
	FormDecimal Form = "decimal"
	FormText    Form = "text"
	FormWord    Form = "word" // text without a blank
	FormEmpty   Form = "empty"
	FormList    Form = "list"
	FormObject  Form = "object"

	FormEmail   Form = "email"
	FormPhone   Form = "phone"
	FormIP      Form = "ip"
	FormURL     Form = "url"
	FormUUID    Form = "uuid"
	FormDate    Form = "date"
	FormTime    Form = "time"
	FormCard    Form = "card" // 13 to 19 digits whose check digit fits
	FormIBAN    Form = "iban"
	FormDegrees Form = "degrees" // "53.35, -6.26"
)

// maxFormBytes is as much of a text as is looked at.
const maxFormBytes = 512

// FormOf returns the form of a JSON value.
func FormOf(raw []byte) Form {
	if len(raw) == 0 {
		return FormNothing
	}
	switch raw[0] {
	case 'n':
		return FormNothing
	case 't', 'f':
		return FormBoolean
	case '[':
		return FormList
	case '{':
		return FormObject
	case '"':
		if len(raw) < 2 {
			return FormEmpty
		}
		text := raw[1 : len(raw)-1]
		if len(text) > maxFormBytes {
			return FormText
		}
		if bytes.IndexByte(text, '\\') >= 0 {
			text, _ = scan.Unquote(nil, text)
		}
		return formOfText(string(bytes.TrimSpace(text)))
	}
	switch s := string(raw); {
	case strings.ContainsAny(s, ".eE"):
		return FormDecimal
	case isCard(s):
		return FormCard
	}
	return FormInteger
}

var (
	uuidForm    = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	phoneForm   = regexp.MustCompile(`^(\+|00)[0-9][0-9 ().-]{5,20}[0-9]$|^\(?0[0-9]{1,4}\)?[ -][0-9 -]{4,12}[0-9]$`)
	dateForm    = regexp.MustCompile(`^([12][0-9]{3}[-/.](0?[1-9]|1[0-2])[-/.](0?[1-9]|[12][0-9]|3[01])|(0?[1-9]|[12][0-9]|3[01])[-/.](0?[1-9]|[12][0-9]|3[01])[-/.][12][0-9]{3})$`)
	decimalForm = regexp.MustCompile(`^[+-]?[0-9]+\.[0-9]+$`)
	integerForm = regexp.MustCompile(`^[+-]?[0-9]+$`)
	degreesForm = regexp.MustCompile(`^(geo:)?[+-]?[0-9]{1,3}\.[0-9]+[,; ]+[+-]?[0-9]{1,3}\.[0-9]+$`)
	urlForm     = regexp.MustCompile(`^https?://[^ ]+$`)
	ibanForm    = regexp.MustCompile(`^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$`)
)

func formOfText(s string) Form {
	switch {
	case s == "":
		return FormEmpty
	case isEmailForm(s):
		return FormEmail
	case urlForm.MatchString(s):
		return FormURL
	case isIP(s):
		return FormIP
	case uuidForm.MatchString(s):
		return FormUUID
	case isIBAN(s):
		return FormIBAN
	case isCard(s):
		return FormCard
	case dateForm.MatchString(s):
		return FormDate
	case isTime(s):
		return FormTime
	case degreesForm.MatchString(s):
		return FormDegrees
	case phoneForm.MatchString(s):
		return FormPhone
	case decimalForm.MatchString(s):
		return FormDecimal
	case integerForm.MatchString(s):
		return FormInteger
	case !strings.ContainsAny(s, " \t\n"):
		return FormWord
	}
	return FormText
}

func isEmailForm(s string) bool {
	if !strings.Contains(s, "@") {
		return false
	}
	a, err := mail.ParseAddress(s)
	return err == nil && strings.Contains(a.Address[strings.LastIndexByte(a.Address, '@'):], ".")
}

func isIP(s string) bool {
	if !strings.ContainsAny(s, ".:") {
		return false
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	_, err := netip.ParseAddrPort(s)
	return err == nil
}

func isTime(s string) bool {
	if len(s) < 16 || len(s) > 40 {
		return false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05.999999999"} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}

// isCard says whether s has 13 to 19 digits, blanks and dashes between them aside, whose last is the
// check digit of the others (ISO/IEC 7812-1, annex B), and begins as payment cards do.
func isCard(s string) bool {
	var digits []byte
	for _, c := range []byte(s) {
		switch {
		case c >= '0' && c <= '9':
			digits = append(digits, c-'0')
		case c != ' ' && c != '-':
			return false
		}
	}
	if len(digits) < 13 || len(digits) > 19 || digits[0] < 2 || digits[0] > 6 {
		return false
	}
	sum := 0
	for i, d := range digits {
		if v := int(d); (len(digits)-i)%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
			sum += v
		} else {
			sum += v
		}
	}
	return sum%10 == 0
}

// isIBAN checks the two digits of an account number (ISO 13616, by ISO 7064 mod 97-10).
func isIBAN(s string) bool {
	s = strings.ReplaceAll(s, " ", "")
	if !ibanForm.MatchString(s) {
		return false
	}
	rest := 0
	for _, c := range s[4:] + s[:4] {
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(c-'0')) % 97
		}
	}
	return rest == 1
}
