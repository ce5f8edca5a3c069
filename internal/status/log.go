package status

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/hooktail/hooktail/internal/display"
)

// Log is the state of the log between a reader and its senders.
type Log struct {
	Stream    string    `json:"stream"`
	Roles     []string  `json:"roles"`            // of this instance: reader, sender
	Connected bool      `json:"connected"`        // to NATS
	Reason    string    `json:"reason,omitempty"` // why the rest is missing or older than the report
	Time      time.Time `json:"time,omitzero"`    // when the rest was read

	Messages    uint64   `json:"messages"` // in the stream, delivered ones included
	Bytes       uint64   `json:"bytes"`
	Limit       *int64   `json:"limit_bytes"`                // null: none
	Keep        *float64 `json:"keep_seconds,omitempty"`     // how long delivered events stay; missing: they do not
	Undelivered uint64   `json:"undelivered_messages"`       // from the oldest undelivered one of each partition on
	Oldest      *float64 `json:"oldest_undelivered_seconds"` // null: all are delivered

	Reader     *Reader        `json:"reader"` // null: no instance reads the slot
	Senders    []LogSender    `json:"senders"`
	Unserved   []int          `json:"unserved_partitions"` // that no sender has
	Stopped    []LogGap       `json:"stopped_partitions"`
	Partitions []LogPartition `json:"partitions,omitempty"` // on request
}

// Reader is the instance that reads the slot and writes to the log.
type Reader struct {
	Member
	Position  string   `json:"position"`            // everything before it is in the log
	Confirmed string   `json:"confirmed,omitempty"` // of the slot
	HeldBack  *float64 `json:"held_back_seconds"`   // age of what the slot was confirmed up to; null: this instance is not the reader, or holds nothing back
}

// LogSender is an instance that delivers.
type LogSender struct {
	Member
	Partitions int   `json:"partitions"`
	Epoch      int64 `json:"epoch"` // 0: it has not taken a partition yet
}

// Member is an instance, as the database knows it by its session.
type Member struct {
	Here    bool       `json:"here"`              // it is the instance that made this report
	Address string     `json:"address,omitempty"` // "": connected through a local socket
	Session uint32     `json:"session"`           // process id of the session in the database
	Since   *time.Time `json:"since"`
}

// LogGap is a partition that has stopped, since a message is missing.
type LogGap struct {
	Partition int    `json:"partition"`
	Missing   string `json:"missing"` // id of the message
}

// LogPartition is how far a partition is delivered.
type LogPartition struct {
	Number      int      `json:"number"`
	Session     uint32   `json:"session,omitempty"` // of the sender that has it
	Epoch       int64    `json:"epoch"`
	Undelivered uint64   `json:"undelivered_messages"`
	Oldest      *float64 `json:"oldest_undelivered_seconds"`
}

// Lines describes the log for people, as pairs of a name and a text; a nil *Log has none.
func (l *Log) Lines() [][2]string {
	if l == nil {
		return nil
	}
	about := []string{"stream " + l.Stream}
	if l.Reason != "" {
		about = append(about, l.Reason)
	}
	if l.Time.IsZero() {
		return [][2]string{{"log", strings.Join(about, ", ")}}
	}
	size := display.Size(int64(l.Bytes))
	if l.Limit != nil {
		size += " of " + display.Size(*l.Limit)
	}
	lag := "all delivered"
	if l.Oldest != nil {
		lag = fmt.Sprintf("%d undelivered, the oldest for %s", l.Undelivered, display.Seconds(*l.Oldest))
	}
	about = append(about, fmt.Sprintf("%d messages, %s", l.Messages, size), lag)
	lines := [][2]string{{"log", strings.Join(about, ", ")}, {"reader", l.reader()}}
	if len(l.Senders) == 0 {
		lines = append(lines, [2]string{"sender", "none: nothing is delivered"})
	}
	for _, s := range l.Senders {
		lines = append(lines, [2]string{"sender", fmt.Sprintf("%s, %d partitions, epoch %d", s.name(), s.Partitions, s.Epoch)})
	}
	if n := len(l.Unserved); n > 0 && len(l.Senders) > 0 {
		lines = append(lines, [2]string{"unserved", fmt.Sprintf("%d partitions have no sender", n)})
	}
	for _, gap := range l.Stopped {
		lines = append(lines, [2]string{"stopped", fmt.Sprintf("partition %02d, message %s is missing: hooktail repair", gap.Partition, gap.Missing)})
	}
	return lines
}

func (l *Log) reader() string {
	if l.Reader == nil {
		return "none: nothing is read"
	}
	text := fmt.Sprintf("%s, position %s", l.Reader.name(), l.Reader.Position)
	if l.Reader.Confirmed != "" {
		text += ", confirmed " + l.Reader.Confirmed
	}
	if l.Reader.HeldBack != nil {
		text += fmt.Sprintf(" (%s ago)", display.Seconds(*l.Reader.HeldBack))
	}
	return text
}

func (m *Member) name() string {
	name := fmt.Sprintf("%s (session %d)", cmp.Or(m.Address, "local"), m.Session)
	if m.Here {
		name += ", this instance"
	}
	return name
}
