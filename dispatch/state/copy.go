package state

import (
	"context"
	"encoding/binary"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// copied is the number of rows from which COPY is faster than a prepared statement.
const copied = 8

// copySQL omits columns that have their default.
const copySQL = `COPY {parked} (hook_id, timeline, commit_lsn, ordinal, event_id, action, project_id, task_id,
	committed_at, body, bytes, attempts, added_at, next_attempt_at, last_result, last_status) FROM STDIN (FORMAT binary)`

// copy parks the rows with COPY, which costs the server a third of an INSERT of arrays
// and this program a tenth: bodies go to the connection without a copy. It returns false
// if nothing was parked because COPY cannot do it: some of the rows are stored already,
// or are dead from the beginning.
func (s *Store) copy(ctx context.Context, b Batch, noted []Key) (done bool, err error) {
	if slices.ContainsFunc(b.Insert, func(r Row) bool { return r.State == Dead }) {
		return false, nil
	}
	rest := s.queue(Batch{Update: b.Update, Bury: b.Bury, Delete: b.Delete}, noted)
	err = s.bounded(ctx, b.AtOnce, func(tx pgx.Tx) error {
		_, err := tx.Conn().PgConn().CopyFrom(ctx, &rowReader{rows: b.Insert, text: []byte(copyHeader)}, s.sql(copySQL))
		if err != nil || rest.Len() == 0 {
			return err
		}
		return tx.SendBatch(ctx, rest).Close()
	})
	if sqlState(err) == uniqueViolation {
		return false, nil
	}
	return err == nil, err
}

// rowReader returns the rows in the binary format of COPY, one at a time.
// https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT
type rowReader struct {
	rows []Row
	next int    // index of the next row; -1: finished
	text []byte // buffer of what is read; at first the header
	at   int
}

const copyHeader = "PGCOPY\n\377\r\n\000" + "\000\000\000\000" + "\000\000\000\000"

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

// write encodes the next row or the trailer.
func (r *rowReader) write() bool {
	if cap(r.text) > keptRow {
		r.text = nil
	}
	r.text, r.at = r.text[:0], 0
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
	dst = binary.BigEndian.AppendUint16(dst, 16) // the columns of copySQL
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

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro() // PostgreSQL's

// appendTime appends a time in microseconds.
func appendTime(dst []byte, t time.Time) []byte {
	return appendInt64(dst, bounded(t).UnixMicro()-epoch)
}
