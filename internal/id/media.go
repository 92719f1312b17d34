package id

// Media names one recording or attachment: 96 random bits, "med_" and 20 characters as text.
type Media [12]byte

// NewMedia returns a random media id.
func NewMedia() Media { return Media(NewChunk()) }

// String returns the text form, "med_…".
func (m Media) String() string { return "med_" + text.EncodeToString(m[:]) }

// MarshalText returns the text form.
func (m Media) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// ParseMedia parses "med_…".
func ParseMedia(t string) (m Media, err error) { err = parse("med_", t, m[:]); return m, err }
