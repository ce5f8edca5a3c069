package natslog

import (
	"context"
	"fmt"
	"slices"
)

// Hole says that a message is missing in the log.
type Hole struct {
	Partition int
	Missing   string // the id of the message; "": the log begins anew
	Seq       uint64 // of the message that follows
}

func (h *Hole) Error() string {
	missing := "message " + h.Missing
	if h.Missing == "" {
		missing = "what was delivered last"
	}
	return fmt.Sprintf("gap in the log: %s of partition %02d, before sequence %d, is missing; its hooks get nothing until `hooktail repair`", missing, h.Partition, h.Seq)
}

// Holes reads the log from the bookmarks on, and returns the first hole of each partition.
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

// Pass has the partition go on behind the hole: the missing message counts as done. The sender
// that has the partition notices that its bookmark was written, and begins anew.
func (l *Log) Pass(ctx context.Context, hole *Hole) error {
	bookmarks, err := l.Bookmarks(ctx)
	if err != nil {
		return err
	}
	mark, err := bookmarks.Read(ctx, hole.Partition)
	if err != nil {
		return err
	}
	if hole.Missing == "" { // nothing of the bookmark is in this log
		mark = Bookmark{Epoch: mark.Epoch}
	} else if !slices.Contains(mark.Done, hole.Missing) {
		mark.Done = append(mark.Done, hole.Missing)
	}
	return bookmarks.Write(ctx, hole.Partition, mark)
}
