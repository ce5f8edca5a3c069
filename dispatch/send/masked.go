package send

import (
	"fmt"
	"io"
	"log/slog"
)

// masked is embedded in what holds a secret: every verb of package fmt, every
// handler of log/slog and every encoder of text show *** instead. What it is
// embedded in keeps its secret behind a pointer, because fmt calls no methods of a
// value that it reaches through an unexported field.
type masked struct{}

const mask = "***"

// String is ***.
func (masked) String() string { return mask }

// GoString is ***.
func (masked) GoString() string { return mask }

// Format writes *** for every verb.
func (masked) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, mask) }

// LogValue is ***.
func (masked) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText is ***.
func (masked) MarshalText() ([]byte, error) { return []byte(mask), nil }
