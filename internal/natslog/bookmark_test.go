package natslog_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestBookmarkWithoutAnswer: a bookmark that was sent and not answered may have been written or
// not. In both cases its sender goes on; only another's bookmark deposes it. A change by
// `hooktail repair`, which keeps the epoch, is another's.
func TestBookmarkWithoutAnswer(t *testing.T) {
	t.Parallel()
	sent := natslog.Bookmark{Epoch: 3, Seq: 7, ID: "1-700-0", Done: []string{}}
	earlier := natslog.Bookmark{Epoch: 3, Seq: 6, ID: "1-600-0", Done: []string{}}
	repaired := sent
	repaired.Done = []string{"1-650-0"}
	tests := []struct {
		name    string
		written *natslog.Bookmark // by the time of the next one; nil: none of the two that were sent
		want    error
	}{
		{"not written", nil, nil},
		{"the last one written", &sent, nil},
		{"the one before written", &earlier, nil},
		{"written by repair", &repaired, state.ErrDeposed},
		{"written by another sender", &natslog.Bookmark{Epoch: 4, Done: []string{}}, state.ErrDeposed},
	}
	for _, tt := range tests {
		for _, first := range []bool{true, false} {
			name := tt.name
			if first {
				name += ", as the first one"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := natstest.Start(t, nil)
				b, err := open(t, s).Bookmarks(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				const partition = 5
				if !first {
					if err := b.Write(t.Context(), partition, natslog.Bookmark{Epoch: 3}); err != nil {
						t.Fatal(err)
					}
				}
				gone, cancel := context.WithCancel(t.Context())
				cancel()
				for _, mark := range []natslog.Bookmark{earlier, sent} {
					if err := b.Write(gone, partition, mark); err == nil || errors.Is(err, state.ErrDeposed) {
						t.Fatalf("error %v of a bookmark without an answer", err)
					}
				}
				if tt.written != nil {
					write(t, s, "05", tt.written)
				}
				checked, err := open(t, s).Bookmarks(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				next := natslog.Bookmark{Epoch: 3, Seq: 8, ID: "1-800-0", Done: []string{}}
				if err := b.Write(t.Context(), partition, next); !errors.Is(err, tt.want) {
					t.Errorf("the next bookmark: %v, want %v", err, tt.want)
				}
				got, err := checked.Read(t.Context(), partition)
				if err != nil {
					t.Fatal(err)
				}
				if isNext := got.Seq == next.Seq; isNext != (tt.want == nil) {
					t.Errorf("the bookmark is %+v", got)
				}
				if err := b.Check(t.Context(), partition); !errors.Is(err, tt.want) {
					t.Errorf("looking at it: %v, want %v", err, tt.want)
				}
			})
		}
	}
}

// write writes a bookmark as somebody else's client does.
func write(t *testing.T, s *natstest.Server, key string, mark *natslog.Bookmark) {
	t.Helper()
	kv, err := natstest.Client(t, s.URL()).KeyValue(t.Context(), "HOOKTAIL_test")
	if err != nil {
		t.Fatal(err)
	}
	value, err := json.Marshal(mark)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}
