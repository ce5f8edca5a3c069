package natslog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/mapping"
)

// Prefix is a position of the reader, below which all events are in the log, with the server's
// timeline. The zero Prefix has no events below it.
type Prefix struct {
	Timeline int32
	LSN      cdc.LSN
}

// Has reports whether the event is below the prefix. An event of a later timeline is not: its
// server may have been promoted before it had received the WAL up to the prefix.
func (p Prefix) Has(id mapping.ID) bool {
	return !id.IsRepair() && id.Timeline <= p.Timeline && id.Commit < p.LSN
}

// String returns timeline and LSN as in an event's id.
func (p Prefix) String() string { return fmt.Sprintf("%d-%X", p.Timeline, uint64(p.LSN)) }

// MarshalText returns String.
func (p Prefix) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText parses the output of String.
func (p *Prefix) UnmarshalText(text []byte) (err error) {
	*p, err = parsePrefix(string(text))
	return err
}

func parsePrefix(text string) (Prefix, error) {
	timeline, lsn, _ := strings.Cut(text, "-")
	n, err := strconv.ParseInt(timeline, 10, 32)
	at, wrong := strconv.ParseUint(lsn, 16, 64)
	if err != nil || wrong != nil {
		return Prefix{}, fmt.Errorf("prefix %q is invalid", text)
	}
	return Prefix{int32(n), cdc.LSN(at)}, nil
}
