package natslog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/retry"
)

// Bookmark records in the bucket how far a partition is delivered.
type Bookmark struct {
	Epoch  int64  `json:"epoch"`  // of the sender that wrote it
	Seq    uint64 `json:"seq"`    // of the last message of the delivered prefix; 0: none
	ID     string `json:"id"`     // of that message
	Prefix Prefix `json:"prefix"` // of that message: all events of these commits are delivered
	Number uint64 `json:"number"` // that it has
	// Done lists deliveries above the prefix: "<id>" if all hooks of the partition have the
	// event, otherwise "<id>/<hook>"; and "<id>:<ordinals>" for many events of a transaction.
	Done []string `json:"done"`
}

// Bookmarks reads and writes the bookmarks of a sender. One goroutine uses it.
type Bookmarks struct {
	kv        jetstream.KeyValue
	revisions map[int]uint64 // of each bookmark, as last read or written
	// unanswered are the values that this sender has sent since, without an answer: the
	// servers may have any of them.
	unanswered map[int][]string
}

// Bookmarks opens the bucket.
func (l *Log) Bookmarks(ctx context.Context) (*Bookmarks, error) {
	kv, err := l.bucket(ctx)
	if err != nil {
		return nil, err
	}
	return &Bookmarks{kv: kv, revisions: make(map[int]uint64), unanswered: make(map[int][]string)}, nil
}

func (l *Log) bucket(ctx context.Context) (jetstream.KeyValue, error) {
	kv, err := l.js.KeyValue(ctx, l.names.Stream)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, fmt.Errorf("bucket %s: %w", l.names.Stream, ErrNoLog)
	}
	if err != nil {
		return nil, fmt.Errorf("look up bucket %s: %w", l.names.Stream, err)
	}
	return kv, nil
}

// Read returns the partition's bookmark, the zero Bookmark if there is none.
func (b *Bookmarks) Read(ctx context.Context, partition int) (mark Bookmark, err error) {
	entry, err := b.kv.Get(ctx, key(partition))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		b.is(partition, 0)
		return Bookmark{}, nil
	}
	if err == nil {
		err = json.Unmarshal(entry.Value(), &mark)
	}
	if err != nil {
		return Bookmark{}, fmt.Errorf("read the bookmark of partition %d: %w", partition, err)
	}
	b.is(partition, entry.Revision())
	return mark, nil
}

// A replica that is behind is asked again, that often and with that pause.
const (
	behindAttempts = 20
	behindPause    = 100 * time.Millisecond
)

// AheadError says that a bookmark has a later epoch: another sender has taken the partition, or the
// database was restored from a backup and does not know its latest epochs.
type AheadError struct {
	Partition int
	Epoch     int64
}

func (e *AheadError) Error() string {
	return fmt.Sprintf("partition %d has epoch %d: %v", e.Partition, e.Epoch, state.ErrDeposed)
}

// Unwrap is for errors.Is.
func (e *AheadError) Unwrap() error { return state.ErrDeposed }

// Take writes the epoch into the bookmark, after which the previous sender can no longer
// write it. It reads again if the answer came from a replica that is behind.
func (b *Bookmarks) Take(ctx context.Context, partition int, epoch int64) (Bookmark, error) {
	for n := 1; ; n++ {
		mark, err := b.Read(ctx, partition)
		if err != nil {
			return Bookmark{}, err
		}
		if mark.Epoch > epoch {
			return Bookmark{}, &AheadError{partition, mark.Epoch}
		}
		mark.Epoch = epoch
		err = b.Write(ctx, partition, mark)
		if err == nil || !errors.Is(err, state.ErrDeposed) || n == behindAttempts {
			return mark, err
		}
		if err := retry.Sleep(ctx, behindPause); err != nil {
			return Bookmark{}, err
		}
	}
}

// Write replaces the bookmark. It returns state.ErrDeposed if somebody else has written it since
// this sender last read or wrote it.
func (b *Bookmarks) Write(ctx context.Context, partition int, mark Bookmark) error {
	value, err := json.Marshal(mark)
	if err == nil {
		err = b.put(ctx, partition, value)
	}
	for n := 1; isWrongSequence(err) && len(b.unanswered[partition]) > 0; n++ { // perhaps this sender has written it
		if err := b.Check(ctx, partition); err != nil {
			return err
		}
		if err = b.put(ctx, partition, value); n == behindAttempts {
			break
		}
		if isWrongSequence(err) {
			if err := retry.Sleep(ctx, behindPause); err != nil {
				return err
			}
		}
	}
	if isWrongSequence(err) {
		return fmt.Errorf("partition %d: %w", partition, state.ErrDeposed)
	}
	if err != nil {
		return fmt.Errorf("write the bookmark of partition %d: %w", partition, err)
	}
	return nil
}

// put writes the value if the bookmark is as it was last read or written.
func (b *Bookmarks) put(ctx context.Context, partition int, value []byte) error {
	revision, err := b.revisions[partition], error(nil)
	if revision == 0 {
		revision, err = b.kv.Create(ctx, key(partition), value)
	} else {
		revision, err = b.kv.Update(ctx, key(partition), value, revision)
	}
	switch {
	case err == nil:
		b.is(partition, revision)
	case !isWrongSequence(err) && !slices.Contains(b.unanswered[partition], string(value)):
		b.unanswered[partition] = append(b.unanswered[partition], string(value))
	}
	return err
}

// is records the present revision of the bookmark; 0: there is none.
func (b *Bookmarks) is(partition int, revision uint64) {
	b.revisions[partition] = revision
	delete(b.unanswered, partition)
}

// Check returns state.ErrDeposed if the bookmark was written by somebody else since this sender
// read or wrote it.
func (b *Bookmarks) Check(ctx context.Context, partition int) error {
	entry, err := b.kv.Get(ctx, key(partition))
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("read the bookmark of partition %d: %w", partition, err)
	case entry.Revision() <= b.revisions[partition]: // a lower one comes from a replica that is behind
		return nil
	}
	if !slices.Contains(b.unanswered[partition], string(entry.Value())) {
		return fmt.Errorf("partition %d: %w", partition, state.ErrDeposed)
	}
	b.is(partition, entry.Revision())
	return nil
}
