package state

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// maxBody is the largest body that is sent to the server: a value, its row, and the
// message that carries it must each stay below 1 GB.
// https://www.postgresql.org/docs/current/limits.html
const maxBody = 1<<30 - 1<<16

// tooLargeError states that no server can store a body.
type tooLargeError struct{ bytes int }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("a body of %d bytes is larger than a value of PostgreSQL", e.bytes)
}

// IsRefused reports whether an error of Apply is about a value in the batch: the database
// works, and would refuse the same batch again. The cause may be one of several rows. Any
// other error is worth another attempt.
//
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func IsRefused(err error) bool {
	if _, ok := errors.AsType[*tooLargeError](err); ok {
		return true
	}
	class := sqlState(err)
	switch class[:min(2, len(class))] {
	case "22", // data exception: out of range, not in the encoding, too long for the type
		"23", // integrity constraint violation, of a constraint added by someone
		"44", // WITH CHECK OPTION violation
		"54", // program limit exceeded: a value too large for a row, an index or a message
		"P0": // raised by a trigger
		return true
	default:
		return false
	}
}

// IsSuspect reports whether an error of Apply may be caused by the size of the batch: the
// server ran out of memory, or an allocation failed. The same error may go away by
// itself.
func IsSuspect(err error) bool {
	switch sqlState(err) {
	case "53200", // out of memory
		"53400", // configuration limit exceeded
		"XX000": // internal error: invalid memory alloc request size
		return true
	default:
		return false
	}
}

// ReasonUnstorable is the reason of death of a delivery whose body the database refuses.
const ReasonUnstorable = "unstorable"

// Bodiless returns a dead row without the values that may have caused the database to
// refuse it.
func (r *Row) Bodiless() Row {
	return Row{
		Key: r.Key, Action: r.Action, Project: r.Project, Task: r.Task, Committed: r.Committed, Added: r.Added, Attempts: r.Attempts,
		State: Dead, Reason: ReasonUnstorable,
	}
}

// Park stores the rows, and rows that the database refuses as dead, without their bodies;
// it returns the number of the latter. Like Apply, it may be repeated after an error.
func (s *Store) Park(ctx context.Context, rows []Row) (refused int, err error) {
	err = s.Apply(ctx, Batch{Insert: rows})
	switch {
	case !IsRefused(err):
		return 0, err
	case len(rows) == 1:
		return 1, s.Apply(ctx, Batch{Insert: []Row{rows[0].Bodiless()}})
	}
	half := len(rows) / 2
	for _, part := range [][]Row{rows[:half], rows[half:]} {
		n, err := s.Park(ctx, part)
		if refused += n; err != nil {
			return refused, err
		}
	}
	return refused, nil
}

// Explain returns why a batch was refused, without its values, which the server's message
// may quote.
func Explain(err error) string {
	if large, ok := errors.AsType[*tooLargeError](err); ok {
		return large.Error()
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case !ok:
		return "the connection could not carry it"
	case pg.ConstraintName != "":
		return fmt.Sprintf("SQLSTATE %s, constraint %q", pg.Code, pg.ConstraintName)
	default:
		return "SQLSTATE " + pg.Code
	}
}
