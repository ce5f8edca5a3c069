package natslog_test

import (
	"errors"
	"io"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestHistoryCountsWhatIsDeletedMeanwhile: messages are deleted before a slow reader has come to them,
// as when they grow too old. They are not passed over in silence.
func TestHistoryCountsWhatIsDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	const all = 200
	s := natstest.Start(t, nil)
	l := open(t, s)
	newReader(t, l).write(t, 1, all)
	h, err := l.History(t.Context(), natslog.HistoryOptions{Hook: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	var read uint64
	next := func() error {
		t.Helper()
		_, err := h.Next(t.Context())
		if err == nil {
			read++
		}
		return err
	}
	if err := next(); err != nil || h.Missed != 0 {
		t.Fatalf("%d are missed: %v", h.Missed, err)
	}
	old := jetstream.WithPurgeSequence(natslog.FenceMessages + all - 10)
	if err := s.Stream(t, l.Names().Stream).Purge(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	for err = next(); err == nil; err = next() {
		continue
	}
	if !errors.Is(err, io.EOF) || h.Missed == 0 || read+h.Missed != all {
		t.Errorf("%d of %d messages are read, %d are missed: %v", read, all, h.Missed, err)
	}
}
