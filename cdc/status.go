package cdc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
)

// finishTimeout bounds the last status.
const finishTimeout = 3 * time.Second

// next returns the latest time to check the connection again: when the next status is or
// may be due.
func (r *reader) next(now time.Time) time.Time {
	due := r.due(r.confirmable())
	if soon := now.Add(r.s.o.StatusInterval); r.s.position.progress().outstanding > 0 && soon.Before(due) {
		return soon
	}
	return due
}

// due returns the time of the next status if it sends that position.
func (r *reader) due(confirmed LSN) time.Time {
	if confirmed != r.sent {
		return r.told.Add(r.s.o.StatusInterval) // at most Timeout/3
	}
	return r.told.Add(r.s.o.Timeout / 3)
}

// status sends the confirmed position to the server if a status is due, or atOnce is set.
// It requests a reply if the server has been silent.
func (r *reader) status(now time.Time, atOnce bool) error {
	confirmed := r.confirmable()
	if !atOnce && now.Before(r.due(confirmed)) {
		return nil
	}
	return r.send(now, confirmed, now.Sub(r.heard) >= r.s.o.Timeout/4)
}

// confirmable returns the confirmed position, or the last one sent if the server must be
// kept there.
func (r *reader) confirmable() LSN {
	if r.s.o.MayConfirm != nil && !r.s.o.MayConfirm() {
		return r.sent
	}
	confirmed := r.s.position.progress().confirmed
	if r.s.o.Hold != nil {
		confirmed = r.s.o.Hold(confirmed)
	}
	return max(confirmed, r.sent)
}

func (r *reader) send(now time.Time, confirmed LSN, answer bool) error {
	if confirmed == 0 { // pglogrepl would treat it as unset and confirm another position
		return errors.New("confirm position: unknown")
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

// finish sends the last position and waits until the server has ended the stream; the
// server records the position first.
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
