package state

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// copied is the number of rows from which COPY is faster than a prepared statement.
const copied = 8

// copySQL omits columns that have their default.
const copySQL = `COPY {parked} (hook_id, timeline, commit_lsn, ordinal, event_id, action, project_id, task_id,
	committed_at, body, bytes, attempts, added_at, next_attempt_at, last_result, last_status) FROM STDIN (FORMAT binary)`

const copyFields = 16

// copy parks the rows with COPY, which costs the server a third of an INSERT of arrays
// and this program a tenth: bodies go to the connection without a copy. It returns false
// if nothing was parked because COPY cannot do it: some of the rows are stored already,
// or are dead from the beginning.
func (s *Store) copy(ctx context.Context, b Batch, noted []Key) (done bool, err error) {
	for i := range b.Insert {
		if b.Insert[i].State == Dead {
			return false, nil
		}
	}
	rest := s.queue(Batch{Update: b.Update, Bury: b.Bury, Delete: b.Delete}, noted)
	return isParked(s.bounded(ctx, b.AtOnce, func(tx pgx.Tx) error {
		if err := s.copyOn(ctx, tx.Conn(), b.Insert); err != nil || rest.Len() == 0 {
			return err
		}
		return tx.SendBatch(ctx, rest).Close()
	}))
}

func (s *Store) copyOn(ctx context.Context, conn *pgx.Conn, rows []Row) error {
	_, err := conn.PgConn().CopyFrom(ctx, &rowReader{rows: rows}, s.sql(copySQL))
	return err
}

// isParked returns no error if some of the rows are stored already.
func isParked(err error) (done bool, _ error) {
	const uniqueViolation = "23505" // https://www.postgresql.org/docs/current/errcodes-appendix.html
	if fault, ok := errors.AsType[*pgconn.PgError](err); ok && fault.Code == uniqueViolation {
		return false, nil
	}
	return err == nil, err
}

// rowReader returns the rows in the binary format of COPY, one at a time.
// https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT
type rowReader struct {
	rows  []Row
	next  int // index of the next row; -1: finished
	begun bool
	text  []byte // buffer of what is read
	at    int
}

// Read fills p as far as possible.
func (r *rowReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if r.at == len(r.text) && !r.write() {
			break
		}
		k := copy(p[n:], r.text[r.at:])
		n, r.at = n+k, r.at+k
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// write encodes the next row, the header or the trailer.
func (r *rowReader) write() bool {
	if cap(r.text) > keptRow {
		r.text = nil
	}
	r.text, r.at = r.text[:0], 0
	if !r.begun {
		r.begun = true
		r.text = append(r.text, "PGCOPY\n\377\r\n\000"+"\000\000\000\000"+"\000\000\000\000"...)
	}
	switch {
	case r.next < 0:
		return false
	case r.next == len(r.rows):
		r.next = -1
		r.text = append(r.text, 0xFF, 0xFF)
	default:
		r.text = appendRow(r.text, &r.rows[r.next])
		r.next++
	}
	return true
}

// keptRow is the maximum size of a buffer that is kept for the next row.
const keptRow = 64 << 10

func appendRow(dst []byte, r *Row) []byte {
	dst = binary.BigEndian.AppendUint16(dst, copyFields)
	dst = appendInt64(dst, r.Hook)
	dst = appendInt32(dst, r.Event.Timeline)
	dst = appendInt64(dst, int64(r.Event.Commit))
	dst = appendInt32(dst, int32(r.Event.Ordinal))
	dst = appendLength(dst, func(dst []byte) []byte { return r.Event.Append(dst) })
	dst = appendText(dst, plain(string(r.Action)))
	dst = appendInt64(dst, r.Project)
	dst = appendInt64(dst, r.Task)
	dst = appendTime(dst, r.Committed)
	dst = appendLength(dst, r.Body.AppendTo)
	dst = appendInt32(dst, int32(r.Body.Len()))
	dst = appendInt32(dst, int32(counted(r.Attempts)))
	dst = appendTime(dst, r.Added)
	if r.Next.IsZero() {
		dst = append(dst, 0xFF, 0xFF, 0xFF, 0xFF) // null
	} else {
		dst = appendTime(dst, r.Next)
	}
	dst = appendText(dst, plain(r.LastResult))
	return appendInt32(dst, int32(r.LastStatus))
}

// appendLength appends the output of f, preceded by its length.
func appendLength(dst []byte, f func([]byte) []byte) []byte {
	at := len(dst)
	dst = f(append(dst, 0, 0, 0, 0))
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

func appendText(dst []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(text))), text...)
}

func appendInt32(dst []byte, n int32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 4), uint32(n))
}

func appendInt64(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, 0, 0, 0, 8), uint64(n))
}

// epoch is PostgreSQL's epoch.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// appendTime appends a time in microseconds.
func appendTime(dst []byte, t time.Time) []byte {
	return appendInt64(dst, bounded(t).UnixMicro()-epoch)
}
