package cdc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
)

// finishTimeout bounds the last words to the server.
const finishTimeout = 3 * time.Second

// next is when the connection must be looked at again, at the latest: when the
// next status is due or might be.
func (r *reader) next(now time.Time) time.Time {
	next := r.told.Add(r.s.o.Timeout / 3)
	soon := now.Add(r.s.o.StatusInterval)
	if r.confirmable() != r.sent {
		soon = r.told.Add(r.s.o.StatusInterval)
	} else if r.s.position.Outstanding() == 0 {
		return next
	}
	if soon.Before(next) {
		return soon
	}
	return next
}

// status tells the server the confirmed position if that is due, or wanted at
// once. It asks for an answer when the server has been silent.
func (r *reader) status(now time.Time, atOnce bool) error {
	confirmed := r.confirmable()
	since := now.Sub(r.told)
	if !atOnce && since < r.s.o.Timeout/3 && (confirmed == r.sent || since < r.s.o.StatusInterval) {
		return nil
	}
	return r.send(now, confirmed, now.Sub(r.heard) >= r.s.o.Timeout/4)
}

// confirmable is the confirmed position, or the last one that was sent where the
// server is to be kept there.
func (r *reader) confirmable() LSN {
	may := r.s.o.MayConfirm == nil || r.s.o.MayConfirm()
	switch {
	case r.s.o.Hold == nil && may:
		return r.s.position.Confirmed()
	case r.s.o.Hold == nil:
		return r.sent
	case may:
		return max(r.s.o.Hold(r.s.position.Confirmed()), r.s.recorded())
	default:
		return r.s.recorded()
	}
}

func (r *reader) send(now time.Time, confirmed LSN, answer bool) error {
	if confirmed == 0 { // pglogrepl would take it for "not given", and confirm something else
		return errors.New("confirm position: none is known")
	}
	if err := r.conn.Conn().SetWriteDeadline(now.Add(r.s.o.Timeout / 3)); err != nil {
		return fmt.Errorf("set write deadline: %w", err)
	}
	err := pglogrepl.SendStandbyStatusUpdate(context.Background(), r.conn, pglogrepl.StandbyStatusUpdate{
		WALWritePosition: confirmed, WALFlushPosition: confirmed, WALApplyPosition: confirmed,
		ClientTime: now, ReplyRequested: answer,
	})
	if err != nil {
		return fmt.Errorf("confirm %s to the server: %w", confirmed, err)
	}
	r.told, r.sent = now, confirmed
	r.s.note(func(n *Stats) { n.Recorded = confirmed })
	return nil
}

// finish tells the server the last position, and waits until it has ended the
// stream, before which it records what it was told.
func (r *reader) finish() error {
	now := time.Now()
	confirmed := r.confirmable()
	if err := r.send(now, confirmed, false); err != nil {
		return err
	}
	if err := r.conn.Conn().SetDeadline(now.Add(finishTimeout)); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	if _, err := pglogrepl.SendStandbyCopyDone(context.Background(), r.conn); err != nil {
		return fmt.Errorf("confirm %s to the server: %w", confirmed, err)
	}
	return nil
}
