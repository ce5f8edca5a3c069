package cdc

import (
	"bufio"
	"bytes"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// wire returns the messages as the server sends them: each as XLogData in CopyData.
func wire(t testing.TB, messages ...[]byte) []byte {
	t.Helper()
	var stream []byte
	for _, raw := range messages {
		data := concat('w', uint64(1), uint64(1), uint64(0), raw)
		var err error
		if stream, err = (&pgproto3.CopyData{Data: data}).Encode(stream); err != nil {
			t.Fatal(err)
		}
	}
	return stream
}

// arrived returns a reader whose socket already holds all of the messages.
func arrived(t testing.TB, s *Stream, messages ...[]byte) *reader {
	t.Helper()
	r := &reader{s: s, buffer: bufio.NewReaderSize(bytes.NewReader(wire(t, messages...)), readBuffer)}
	r.frontend = pgproto3.NewFrontend(r.buffer, io.Discard)
	return r
}

// TestReadingIsBoundedInBytes: however much has piled up in the socket while the consumer
// had no room, and whatever the size of its rows, no more than two parts are read before
// the reader asks again whether there is room.
func TestReadingIsBoundedInBytes(t *testing.T) {
	const part = 64 << 10
	for _, test := range []struct {
		name              string
		transactions      int
		rows, size, least int // rows of a transaction, bytes of a row, rounds that it takes at least
	}{
		{"many small rows", 1, 4000, 100, 4},
		{"rows below the read buffer", 1, 500, 20 << 10, 50},
		{"rows beyond a part", 1, 100, 100 << 10, 50},
		{"transactions of one row", 500, 1, 20 << 10, 100},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var messages [][]byte
			for n := range test.transactions {
				texts := make([]string, test.rows)
				for i := range texts {
					texts[i] = string(bytes.Repeat([]byte{'x'}, test.size))
				}
				messages = append(messages, transactionOf(LSN(100*(n+1)), texts...)...)
			}
			s := New(Options{PartBytes: part})
			r := arrived(t, s, messages...)
			changes, rounds, most := 0, 0, 2*(part+test.size+arenaChunk)
			for ; changes < test.transactions*test.rows; rounds++ {
				if err := r.read(t.Context()); err != nil {
					t.Fatal(err)
				}
				got := 0
				for _, p := range s.assembler.flush() {
					got += p.bytes
					changes += len(p.Changes)
				}
				if got > most {
					t.Fatalf("%d bytes of rows read at once, at most %d wanted", got, most)
				}
			}
			if rounds < test.least {
				t.Errorf("read in %d rounds, want %d at least", rounds, test.least)
			}
		})
	}
}
