package natslog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/mapping"
)

// message is the nth message of partition 1: event n for some hooks.
func message(n, prefix int, hooks ...int64) *natslog.Message {
	m := &natslog.Message{Partition: 1, Seq: uint64(n), ID: fmt.Sprintf("1-%X-0", n*0x100), Event: event(lsn(n * 0x100)), Commit: lsn(n * 0x100), Prefix: natslog.Prefix{Timeline: 1, LSN: lsn(prefix * 0x100)}}
	if n > 1 {
		m.Before = fmt.Sprintf("1-%X-0", (n-1)*0x100)
	}
	for _, h := range hooks {
		m.Targets = append(m.Targets, hook.Target{Hook: h})
	}
	return m
}

// TestHoleStopsThePartition: a message that is missing stops its partition, which names it;
// what is below the prefix may be missing.
func TestHoleStopsThePartition(t *testing.T) {
	t.Parallel()
	p := natslog.NewProgress(1, natslog.Bookmark{}, false)
	if _, _, err := p.Take(message(1, 0, 1)); err != nil {
		t.Fatal(err)
	}
	_, _, err := p.Take(message(3, 0, 1))
	hole, ok := errors.AsType[*natslog.Hole](err)
	if !ok || hole.Missing != "1-200-0" || hole.Partition != 1 {
		t.Errorf("after a hole: %v", err)
	}
	if taken, _, err := p.Take(message(4, 0, 1)); taken != nil || err != nil || p.Hole() == nil {
		t.Error("the partition goes on after a hole")
	}
	purged := natslog.NewProgress(1, natslog.Bookmark{Seq: 9, ID: "1-900-0", Prefix: natslog.Prefix{Timeline: 1, LSN: 0x850}}, false)
	if _, targets, err := purged.Take(message(5, 0, 1)); err != nil || len(targets) != 0 {
		t.Errorf("what is done and was purged is missed: %v, %v", targets, err)
	}
	fresh := natslog.NewProgress(1, natslog.Bookmark{}, false)
	if _, _, err := fresh.Take(message(5, 0, 1)); err == nil {
		t.Error("without a bookmark the log may begin in the middle")
	}
}

// TestBookmarkSaysWhatIsDone: whatever is done in whatever order, who goes on from the bookmark
// gets exactly the deliveries that were not done when it was written.
func TestBookmarkSaysWhatIsDone(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		p := natslog.NewProgress(1, natslog.Bookmark{}, false)
		var messages []*natslog.Message
		type delivery struct {
			of   *natslog.Taken
			hook int64
		}
		var open []delivery
		done := map[string]bool{}
		total := 5 + rng.IntN(20)
		for n := 1; n <= total; n++ {
			hooks := []int64{1, 65, 129}[:1+rng.IntN(3)]
			m := message(n, max(0, n-1-rng.IntN(4)), hooks...)
			if len(messages) > 0 && m.Prefix.LSN < messages[len(messages)-1].Prefix.LSN {
				m.Prefix = messages[len(messages)-1].Prefix
			}
			messages = append(messages, m)
			taken, targets, err := p.Take(m)
			if err != nil {
				t.Fatal(err)
			}
			for _, target := range targets {
				open = append(open, delivery{taken, target.Hook})
			}
			for len(open) > 0 && rng.IntN(3) > 0 {
				i := rng.IntN(len(open))
				p.Done(open[i].of, open[i].hook)
				done[fmt.Sprint(open[i].of.ID, open[i].hook)] = true
				open = slices.Delete(open, i, i+1)
			}
		}
		mark, _ := p.Bookmark()
		verified := rng.IntN(2) == 0
		next := natslog.NewProgress(1, mark, verified)
		again := map[string]bool{}
		for _, m := range messages {
			if verified && m.Seq <= mark.Seq {
				continue
			}
			_, targets, err := next.Take(m)
			if err != nil {
				t.Fatalf("seed %d, from %+v: %v", seed, mark, err)
			}
			for _, target := range targets {
				again[fmt.Sprint(m.ID, target.Hook)] = true
			}
		}
		for _, m := range messages {
			for _, target := range m.Targets {
				key := fmt.Sprint(m.ID, target.Hook)
				if done[key] == again[key] {
					t.Fatalf("seed %d, verified %t: delivery %s done %t, again %t, from %+v", seed, verified, key, done[key], again[key], mark)
				}
			}
		}
	}
}

// chain is the messages of partition 1 for hook 1 with these events, in the order of the log.
func chain(prefix natslog.Prefix, of ...mapping.ID) (messages []*natslog.Message) {
	before := ""
	for i, id := range of {
		messages = append(messages, &natslog.Message{
			Partition: 1, Seq: uint64(i + 1), ID: id.String(), Before: before, Prefix: prefix, Number: uint64(i + 1),
			Event: &mapping.Event{ID: id}, Commit: id.Commit, Targets: []hook.Target{{Hook: 1}},
		})
		before = id.String()
	}
	return messages
}

// TestBookmarkOfALargeTransaction: all events of a transaction are above the prefix until it is over.
// The bookmark still fits into a message, and says which are done.
func TestBookmarkOfALargeTransaction(t *testing.T) {
	t.Parallel()
	const events = 500_000
	var of []mapping.ID
	for n := range events {
		of = append(of, mapping.ID{Timeline: 1, Commit: 0x500, Ordinal: 2 * n})
	}
	prefix := natslog.Prefix{Timeline: 1, LSN: 0x400}
	messages := chain(prefix, of...)
	p := natslog.NewProgress(1, natslog.Bookmark{}, false)
	for _, m := range messages[:events-1] {
		taken, _, err := p.Take(m)
		if err != nil {
			t.Fatal(err)
		}
		p.Done(taken, 1)
	}
	mark, _ := p.Bookmark()
	value, err := json.Marshal(mark)
	if err != nil {
		t.Fatal(err)
	}
	const most = 1 << 20 // of a message, by default
	if len(value) > most {
		t.Errorf("the bookmark of %d events has %d bytes", events, len(value))
	}
	var read natslog.Bookmark
	if err := json.Unmarshal(value, &read); err != nil {
		t.Fatal(err)
	}
	next := natslog.NewProgress(1, read, false)
	for i, m := range messages {
		if _, targets, err := next.Take(m); err != nil || (len(targets) > 0) != (i == events-1) {
			t.Fatalf("event %d of %d is for %v: %v", i, events, targets, err)
		}
	}
	next = natslog.NewProgress(1, read, false)
	for _, m := range chain(natslog.Prefix{Timeline: 1, LSN: 0x501}, mapping.ID{Timeline: 1, Commit: 0x600}) {
		m.Before = mark.ID
		taken, _, err := next.Take(m)
		if err != nil {
			t.Fatal(err)
		}
		next.Done(taken, 1)
	}
	if mark, _ = next.Bookmark(); len(mark.Done) != 1 {
		t.Errorf("after the transaction the bookmark lists %d, not the last event alone", len(mark.Done))
	}
}

// TestBookmarkOfAnyEvents: whichever events of whichever transactions are done, the bookmark says
// exactly these.
func TestBookmarkOfAnyEvents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		one := rapid.Custom(func(t *rapid.T) mapping.ID {
			return mapping.ID{
				Timeline: rapid.Int32Range(1, 2).Draw(t, "timeline"), Commit: lsn(rapid.IntRange(0x500, 0x502).Draw(t, "commit")),
				Ordinal: rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(250, 260), rapid.IntRange(0, 1<<20)).Draw(t, "ordinal"),
			}
		})
		messages := chain(natslog.Prefix{Timeline: 1, LSN: 0x400}, rapid.SliceOfNDistinct(one, 1, 100, rapid.ID).Draw(t, "events")...)
		p, done := natslog.NewProgress(1, natslog.Bookmark{}, false), make(map[string]bool)
		for _, m := range messages {
			taken, _, err := p.Take(m)
			if err != nil {
				t.Fatal(err)
			}
			if done[m.ID] = rapid.Bool().Draw(t, "done"); done[m.ID] {
				p.Done(taken, 1)
			}
		}
		mark, _ := p.Bookmark()
		next := natslog.NewProgress(1, mark, false)
		for _, m := range messages {
			if _, targets, err := next.Take(m); err != nil || (len(targets) == 0) != done[m.ID] {
				t.Fatalf("event %s is done: %t, and is for %v: %v", m.ID, done[m.ID], targets, err)
			}
		}
	})
}
