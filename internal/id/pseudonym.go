package id

// Pseudonym is what one recipient calls a person for one purpose: 128 bits keyed over the subject id, "psn_" and 26
// characters as text. Nobody but the region can tell whose it is.
type Pseudonym [16]byte

// AppendTo appends the text form.
func (p Pseudonym) AppendTo(dst []byte) []byte {
	return text.AppendEncode(append(dst, "psn_"...), p[:])
}

// String returns the text form, "psn_…".
func (p Pseudonym) String() string { return string(p.AppendTo(nil)) }

// ParsePseudonym parses "psn_…".
func ParsePseudonym(t string) (p Pseudonym, err error) { err = parse("psn_", t, p[:]); return p, err }

// RecordPseudonym is what one recipient calls a record for one purpose: "r_" and 26 characters as text.
type RecordPseudonym [16]byte

// AppendTo appends the text form.
func (p RecordPseudonym) AppendTo(dst []byte) []byte {
	return text.AppendEncode(append(dst, "r_"...), p[:])
}

// AppendTo appends the text form of s to dst.
func (s Subject) AppendTo(dst []byte) []byte { return text.AppendEncode(append(dst, "sub_"...), s[:]) }

// AppendTo appends the text form of r to dst.
func (r Record) AppendTo(dst []byte) []byte {
	b := r.Bytes()
	return text.AppendEncode(append(dst, "rec_"...), b[:])
}
