package state

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// maxBody is the largest body that is sent to the server: a value, the row that it is in,
// and the message that carries it have to stay below 1 GB each.
// https://www.postgresql.org/docs/current/limits.html
const maxBody = 1<<30 - 1<<16

// tooLargeError says that a body can be stored by no server.
type tooLargeError struct{ bytes int }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("a body of %d bytes is larger than a value of PostgreSQL", e.bytes)
}

// IsRefused reports whether an error of Apply speaks of a value in the batch: the
// database works, and refuses the same batch again. One of several rows may be to blame.
// Every other error is worth another attempt.
//
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func IsRefused(err error) bool {
	if _, ok := errors.AsType[*tooLargeError](err); ok {
		return true
	}
	switch class(err) {
	case "22", // data exception: out of range, not in the encoding, too long for the type
		"23", // integrity constraint violation, of a constraint that somebody has added
		"44", // WITH CHECK OPTION violation
		"54", // program limit exceeded: a value too large for a row, an index or a message
		"P0": // raised by somebody's trigger
		return true
	default:
		return false
	}
}

// IsSuspect reports whether an error of Apply may speak of the size of the batch: the
// server has no memory for it, or an allocation failed within it. The same error may
// pass by itself.
func IsSuspect(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.Contains([]string{
		"53200", // out of memory
		"53400", // configuration limit exceeded
		"XX000", // internal error: invalid memory alloc request size
	}, pg.Code)
}

// ReasonUnstorable is the reason of death of a delivery whose body the database refuses.
const ReasonUnstorable = "unstorable"

// Bodiless is what is left of a row that the database refuses: it is dead, and has
// nothing of the values that may be to blame.
func (r *Row) Bodiless() Row {
	return Row{
		Key: r.Key, Action: r.Action, Project: r.Project, Task: r.Task, Committed: r.Committed, Added: r.Added, Attempts: r.Attempts,
		State: Dead, Reason: ReasonUnstorable,
	}
}

// Park stores the rows, and those that the database refuses without their bodies, as dead;
// it returns how many these are. It may be repeated after an error, as Apply.
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

// Explain says why a batch was refused, without any value of it, which the server's
// message may quote.
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

// class is that of the error's SQLSTATE, "" if it is not the server's.
func class(err error) string {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || len(pg.Code) < 2 {
		return ""
	}
	return pg.Code[:2]
}
