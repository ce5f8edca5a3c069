package state

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Batch is a set of changes with distinct keys. Rows to insert are copied to the
// connection one by one; if some of them are stored already, this is impossible, and the
// batch takes about four times the memory of its bodies while it is sent.
type Batch struct {
	Insert []Row     // parked, or dead from the beginning
	Update []Attempt // failed attempts of stored deliveries
	Bury   []Attempt // last attempts
	Delete []Key     // delivered, or no longer wanted

	AtOnce bool // do not wait for locks at all
}

// Attempt is the record of a failed attempt.
type Attempt struct {
	Key
	Attempts   int       // number of attempts, including this one
	Next       time.Time // zero: as soon as it is its turn; ignored by Bury
	LastResult string
	LastStatus int
	Reason     string // reason of death; ignored by Update
	Bodiless   bool   // drop the body; ignored by Update
}

// Apply makes all changes of the batch in one transaction, or none and returns an error.
// After an error the changes may still have been made: the connection may have ended
// between the commit and its confirmation. So a batch may be applied again; rows already
// stored are left alone, and missing rows are skipped. IsRefused identifies errors for
// which that is useless.
//
// It waits for locks for at most a second, and then returns a *LockedError: an open
// transaction of another session only delays deliveries whose rows it has locked. Those
// of them that were to be deleted or buried have been recorded as done: neither Tail nor
// Heads returns them again, in this run or a later one.
func (s *Store) Apply(ctx context.Context, b Batch) error {
	for i := range b.Insert {
		if bytes := b.Insert[i].Body.Len(); bytes > maxBody {
			return wrap(&tooLargeError{bytes}, "park")
		}
	}
	noted := s.done.of(b.keys())
	err := s.apply(ctx, b, noted)
	if err == nil {
		s.done.remove(noted)
		return nil
	}
	if fault, ok := errors.AsType[*LockedError](err); ok {
		s.explain(ctx, b.keys(), fault)
		if undone := s.finish(ctx, b, fault.Keys); undone != nil {
			err = undone
		}
	}
	return wrap(err, "park")
}

// apply is Apply without handling of locks; noted are deliveries of the batch that finish
// has recorded as done.
func (s *Store) apply(ctx context.Context, b Batch, noted []Key) error {
	if len(b.Insert) >= copied {
		if done, err := s.copy(ctx, b, noted); done || err != nil {
			return err
		}
	}
	queue := s.queue(b, noted)
	if queue.Len() == 0 {
		return nil
	}
	return s.bounded(ctx, b.AtOnce, func(tx pgx.Tx) error { return tx.SendBatch(ctx, queue).Close() })
}
