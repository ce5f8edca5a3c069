package natslog

import (
	"context"
	"fmt"
	"slices"
)

// Hole is a missing message in a partition. It stops the partition.
type Hole struct {
	Partition int
	Missing   string // its id; "": the log has none of the messages that the bookmark is about
	Seq       uint64 // of the message after the hole
}

func (h *Hole) Error() string {
	missing := "message " + h.Missing
	if h.Missing == "" {
		missing = "the last delivered message"
	}
	return fmt.Sprintf("gap in the log: %s of partition %02d, before sequence %d, is missing: its hooks receive nothing until `hooktail repair`", missing, h.Partition, h.Seq)
}

// Holes reads the log from the bookmarks to its end and returns the first hole of each
// partition.
func (l *Log) Holes(ctx context.Context) (holes []*Hole, err error) {
	bookmarks, err := l.Bookmarks(ctx)
	if err != nil {
		return nil, err
	}
	marks := make(map[int]Bookmark, Partitions)
	for p := range Partitions {
		if marks[p], err = bookmarks.Read(ctx, p); err != nil {
			return nil, err
		}
	}
	tail, err := l.Tail(ctx, marks)
	if err != nil {
		return nil, err
	}
	defer tail.Close()
	for !tail.IsCaughtUp() {
		m, progress, err := tail.Next(ctx)
		if err != nil {
			return nil, err
		}
		if m == nil {
			continue
		}
		if _, _, err := progress.Take(m); err != nil {
			holes = append(holes, progress.Hole())
		}
	}
	return holes, nil
}

// Pass lets the partition continue after the hole: the missing message counts as delivered.
// The partition's sender notices that its bookmark has changed, and starts again.
func (l *Log) Pass(ctx context.Context, hole *Hole) error {
	bookmarks, err := l.Bookmarks(ctx)
	if err != nil {
		return err
	}
	mark, err := bookmarks.Read(ctx, hole.Partition)
	if err != nil {
		return err
	}
	if hole.Missing == "" { // the bookmark is about another log
		mark = Bookmark{Epoch: mark.Epoch}
	} else if !slices.Contains(mark.Done, hole.Missing) {
		mark.Done = append(mark.Done, hole.Missing)
	}
	return bookmarks.Write(ctx, hole.Partition, mark)
}
