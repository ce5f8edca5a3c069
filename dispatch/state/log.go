package state

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Log is what the schema has of a slot's log: payloads that are too large for its messages,
// and which stream it is. Its methods are single statements.
type Log struct {
	db     Querier
	schema string
	slot   string
}

// NewLog is what the schema has for the slot.
func NewLog(db Querier, schema, slot string) *Log { return &Log{db: db, schema: schema, slot: slot} }

// Store writes an event's payload, without "action". after is the last sequence of the log.
func (l *Log) Store(ctx context.Context, event string, payload []byte, after uint64) error {
	_, err := l.db.Exec(ctx, `INSERT INTO `+quote(l.schema, "log_body")+` (slot, event_id, after_seq, payload) VALUES ($1, $2, $3, $4)
		ON CONFLICT (slot, event_id) DO UPDATE SET after_seq = excluded.after_seq, payload = excluded.payload`, l.slot, event, int64(after), payload)
	return wrap(err, "store a payload of the log")
}

// Payload is what Store has written; nil if it was deleted.
func (l *Log) Payload(ctx context.Context, event string) (payload []byte, err error) {
	err = l.db.QueryRow(ctx, `SELECT payload FROM `+quote(l.schema, "log_body")+` WHERE slot = $1 AND event_id = $2`, l.slot, event).Scan(&payload)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return payload, wrap(err, "read a payload of the log")
}

// Purge deletes the payloads that were written when the log ended before that sequence, but
// not those of the events.
func (l *Log) Purge(ctx context.Context, before uint64, but []string) error {
	_, err := l.db.Exec(ctx, `DELETE FROM `+quote(l.schema, "log_body")+` WHERE slot = $1 AND after_seq < $2 AND event_id <> ALL ($3)`,
		l.slot, int64(before), append([]string{}, but...))
	return wrap(err, "purge payloads of the log")
}

// Stream is when the slot's stream was made, by the clock of its server, and a sequence that it
// had; zero if none is known.
func (l *Log) Stream(ctx context.Context) (created time.Time, seq uint64, err error) {
	err = l.db.QueryRow(ctx, `SELECT created, seq FROM `+quote(l.schema, "log_stream")+` WHERE slot = $1`, l.slot).Scan(&created, &seq)
	if errors.Is(err, pgx.ErrNoRows) {
		return time.Time{}, 0, nil
	}
	return created, seq, wrap(err, "read which stream the log is")
}

// Note writes what Stream returns.
func (l *Log) Note(ctx context.Context, created time.Time, seq uint64) error {
	_, err := l.db.Exec(ctx, `INSERT INTO `+quote(l.schema, "log_stream")+` (slot, created, seq) VALUES ($1, $2, $3)
		ON CONFLICT (slot) DO UPDATE SET created = excluded.created, seq = excluded.seq`, l.slot, created, int64(seq))
	return wrap(err, "note which stream the log is")
}

// NoteEnd raises the sequence that Stream returns.
func (l *Log) NoteEnd(ctx context.Context, seq uint64) error {
	_, err := l.db.Exec(ctx, `UPDATE `+quote(l.schema, "log_stream")+` SET seq = $2 WHERE slot = $1 AND seq < $2`, l.slot, int64(seq))
	return wrap(err, "note the end of the log")
}

// Epochs are those of the partitions that a sender has ever taken.
func (l *Log) Epochs(ctx context.Context) (map[int]int64, error) {
	rows, _ := l.db.Query(ctx, `SELECT partition, epoch FROM `+quote(l.schema, "log_partition")+` WHERE slot = $1`, l.slot) // its error is that of the rows
	epochs := make(map[int]int64)
	var partition int
	var epoch int64
	_, err := pgx.ForEachRow(rows, []any{&partition, &epoch}, func() error {
		epochs[partition] = epoch
		return nil
	})
	return epochs, wrap(err, "read the epochs")
}
