package natslog

import (
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/mapping"
)

// BenchmarkMessage is a message on its way into the log and out of it.
func BenchmarkMessage(b *testing.B) {
	names := NamesOf("hooktail")
	e := &mapping.Event{
		ID: mapping.ID{Timeline: 1, Commit: 0x1BFFFF0}, Action: "ANNOTATION_CREATED", Project: 7, Task: 8, Payload: make([]byte, 4096),
		Committed: time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC),
	}
	m := Message{
		Partition: 7, ID: e.ID.String(), Before: "1-1BFFFE0-0", Prefix: Prefix{1, 0x1BFFF00}, Floor: 41000, Number: 4711, Event: e,
		Targets: []hook.Target{{Hook: 7, Action: e.Action, Payload: true}}, Commit: e.ID.Commit, Bytes: 4096,
	}
	b.ReportAllocs()
	var buffer []byte
	for b.Loop() {
		out := m.encode(names, "1-1BFFF00 41000", 41005, buffer)
		buffer = out.Data[:0]
		if _, err := decode(names, out.Subject, 1, out.Header, out.Data); err != nil {
			b.Fatal(err)
		}
	}
}
