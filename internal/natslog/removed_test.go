package natslog_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestLastMessageRemoved: somebody removes the log's last messages, or all of them. The next reader goes
// on, and says so; its events follow what is left.
func TestLastMessageRemoved(t *testing.T) {
	t.Parallel()
	for _, left := range []uint64{2, 0} {
		t.Run(fmt.Sprintf("%d left", left), func(t *testing.T) {
			t.Parallel()
			s := natstest.Start(t, nil)
			l := open(t, s)
			r := newReader(t, l)
			r.write(t, 1, 4)
			stream := s.Stream(t, l.Names().Stream)
			for seq := natslog.FenceMessages + left + 1; seq <= natslog.FenceMessages+4; seq++ {
				if err := stream.DeleteMsg(t.Context(), seq); err != nil {
					t.Fatal(err)
				}
			}
			if left == 0 {
				if err := stream.Purge(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			var said strings.Builder
			next, err := natslog.NewWriter(t.Context(), l, natslog.WriterOptions{
				Prefix: func() natslog.Prefix { return natslog.Prefix{} }, Log: slog.New(slog.NewTextHandler(&said, nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			if want := "The last messages of the log were removed"; !strings.Contains(said.String(), want) || !strings.Contains(said.String(), "to=132") {
				t.Errorf("the reader says %q", said.String())
			}
			hold := natslog.NewHoldback(next, time.Millisecond, slog.New(slog.DiscardHandler))
			looked, stop := context.WithTimeout(t.Context(), time.Second)
			defer stop()
			if err := hold.Run(looked); err != nil {
				t.Errorf("the reader takes its log for another one's: %v", err)
			}
			if err := next.Enqueue(t.Context(), to1(event(0x500))); err != nil {
				t.Fatal(err)
			}
			if have := events(t, l); !have[event(0x500).ID.String()] || len(have) != int(left)+1 {
				t.Errorf("the log has %v", have)
			}
		})
	}
}
