package config

import (
	"fmt"
	"io"
	"log/slog"
)

// mask is printed in the place of a secret.
const mask = "***"

// Secret is text that does not print: every verb of package fmt, every handler
// of log/slog and every encoder of text show *** instead.
//
// It holds a pointer, because fmt calls no methods of a value that it reaches
// through an unexported field, and prints a plain string there as it is.
type Secret struct {
	text *string
	path *string // of the file that the text is from; nil: of none
}

// NewSecret makes a Secret of the text.
func NewSecret(text string) Secret { return Secret{text: &text} }

// Reveal is the text itself. Whoever calls it keeps it from logs, metrics and
// errors.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Reread is the secret as its file has it now: what rotates credentials changes the
// file. The secret itself is returned where it is from no file, or the file cannot
// be read or is empty, as while it is being replaced.
func (s Secret) Reread() Secret {
	if s.path == nil {
		return s
	}
	now, err := readFile("", *s.path)
	if err != nil {
		return s
	}
	return Secret{text: &now.value, path: s.path}
}

// Equal reports whether both hold the same text.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// String is ***, whatever the text.
func (Secret) String() string { return mask }

// GoString is ***, whatever the text.
func (Secret) GoString() string { return mask }

// Format writes *** for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, mask) }

// LogValue is ***, whatever the text.
func (Secret) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText is ***, whatever the text: a Secret cannot be written and read
// back.
func (Secret) MarshalText() ([]byte, error) { return []byte(mask), nil }

// UnmarshalText takes the text as it is.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
