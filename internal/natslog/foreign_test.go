package natslog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestMessageOfSomebodyElse: a message that hooktail has not written, such as one that somebody has
// published as a trial, stops readers and senders, who say how to remove it. Then they go on.
func TestMessageOfSomebodyElse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		header nats.Header
		of     int // partition; -1: where fences are
	}{
		{"without headers", nil, 1},
		{"of a partition without others", nil, 9},
		{"as a fence", nil, -1},
		{"with an id alone", nats.Header{"Ht-Id": {"1-100-1"}}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := natstest.Start(t, nil)
			l := open(t, s)
			newReader(t, l).write(t, 1, 4)
			conn, err := nats.Connect(s.URL())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			reply, err := conn.RequestMsg(&nats.Msg{Subject: l.Names().Subject(tt.of), Header: tt.header, Data: []byte("hello")}, 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			seq := uint64(natslog.FenceMessages + 5)
			if !strings.Contains(string(reply.Data), fmt.Sprintf(`"seq":%d`, seq)) {
				t.Fatalf("answer %s", reply.Data)
			}
			remedy := fmt.Sprintf("nats stream rmm %s %d", l.Names().Stream, seq)
			if _, err := tryReader(t.Context(), l); err == nil || !strings.Contains(err.Error(), remedy) {
				t.Errorf("the reader says %v", err)
			}
			if err := s.Stream(t, l.Names().Stream).DeleteMsg(t.Context(), seq); err != nil {
				t.Fatal(err)
			}
			newReader(t, l).write(t, 5, 6)
			tail, err := l.Tail(t.Context(), allMarks())
			if err != nil {
				t.Fatal(err)
			}
			defer tail.Close()
			messages, progress := take(t, tail, 6)
			for i, m := range messages {
				if _, _, err := progress[i].Take(m); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
