package send

import (
	"fmt"
	"io"
	"log/slog"
)

// masked is embedded in types that hold a secret: every verb of package fmt, every
// handler of log/slog and every encoder of text show *** instead. The type must keep its
// secret behind a pointer, because fmt does not call methods of values in unexported
// fields.
type masked struct{}

const mask = "***"

// String returns ***.
func (masked) String() string { return mask }

// GoString returns ***.
func (masked) GoString() string { return mask }

// Format writes *** for every verb.
func (masked) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, mask) }

// LogValue returns ***.
func (masked) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText returns ***.
func (masked) MarshalText() ([]byte, error) { return []byte(mask), nil }
