package config

import (
	"net/mail"
	"os"
	"strings"

	"domicile.dev/internal/fault"
)

// Mail is an SMTP relay.
type Mail struct {
	Host string `yaml:"host"`
	// Port is 587 by default, 465 with tls, 25 with none.
	Port int `yaml:"port"`
	// TLS is starttls, tls or none. Default starttls.
	TLS string `yaml:"tls"`
	// User signs in, with the password in PasswordFile. Default: nobody does.
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password_file"`
	// From is the sender, "Privacy <privacy@example.com>".
	From string `yaml:"from"`
}

// check fills in defaults.
func (m *Mail) check(bad func(key, why string, args ...any)) {
	if m.TLS == "" {
		m.TLS = "starttls"
	}
	port, known := map[string]int{"starttls": 587, "tls": 465, "none": 25}[m.TLS]
	if !known {
		bad("mail.tls", "give starttls, tls or none")
	}
	if m.TLS == "none" && !loopback(m.Host) {
		bad("mail.tls", "none is for a relay on this machine: give starttls or tls")
	}
	if m.Port == 0 {
		m.Port = port
	}
	if m.Host == "" || strings.ContainsAny(m.Host, ":/ ") && !strings.Contains(m.Host, "::") {
		bad("mail.host", "give the relay's name or address, without a port")
	}
	if m.Port < 1 || m.Port > 65535 {
		bad("mail.port", "give a number from 1 to 65535")
	}
	if (m.User == "") != (m.PasswordFile == "") {
		bad("mail.user", "give both user and password_file, or neither")
	}
	if a, err := mail.ParseAddress(m.From); err != nil || a.Address == "" {
		bad("mail.from", "give the sender's address, such as Privacy <privacy@example.com>")
	}
}

// Password reads the password's file, whose last line end is not part of it. Fault: Invalid.
func (m *Mail) Password() (string, error) {
	if m.PasswordFile == "" {
		return "", nil
	}
	st, err := os.Stat(m.PasswordFile)
	if err == nil && st.Mode().Perm()&0o007 != 0 {
		return "", fault.New(fault.Invalid, "mail.exposed", "%s can be read by everyone on this machine", m.PasswordFile).WithHint("chmod 600 " + m.PasswordFile)
	}
	b, err := os.ReadFile(m.PasswordFile)
	if err != nil {
		return "", fault.New(fault.Invalid, "mail.no_password", "can't read mail.password_file").WithHint("give a file that this process may read").Because(err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
