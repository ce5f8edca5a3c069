package config

import (
	"fmt"
	"io"
	"log/slog"
)

// mask is printed in place of a secret.
const mask = "***"

// Secret is text that does not print: every verb of package fmt, every handler
// of log/slog and every encoder of text show *** instead.
//
// It holds a pointer because fmt does not call methods of values in unexported fields: it
// would print a plain string.
type Secret struct {
	text *string
	path *string // file from which the text was read; nil: none
}

// NewSecret returns a Secret with the text.
func NewSecret(text string) Secret { return Secret{text: &text} }

// Reveal returns the text. Callers must keep it out of logs, metrics and errors.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Reread returns the present content of the secret's file: credentials are rotated by
// changing the file. It returns s if there is no file, or if the file cannot be read or
// is empty, as it may be while it is being replaced.
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

// String returns ***.
func (Secret) String() string { return mask }

// GoString returns ***.
func (Secret) GoString() string { return mask }

// Format writes *** for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, mask) }

// LogValue returns ***.
func (Secret) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText returns ***: a Secret cannot be written and read back.
func (Secret) MarshalText() ([]byte, error) { return []byte(mask), nil }

// UnmarshalText sets the text.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
