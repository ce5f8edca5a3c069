package mapping

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/cdc"
)

// unreadable holds rows that the server does not return: a virtual column that somebody
// has added cannot be computed from their values, or a value is damaged on disk. One such
// row fails the query of its whole batch; so they are found, and then count as deleted.
type unreadable struct {
	rows map[rowOf]bool // of the present batch: they may be readable by the next one
	told map[rowOf]bool // logged
}

// toldRows bounds the rows that are remembered as logged.
const toldRows = 1024

// isOfRow reports whether the error may be due to the values of a row: data exceptions
// (class 22), limits (class 54) and damaged data.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func isOfRow(err error) bool {
	const dataCorrupted = "XX001"
	code := codeOf(err)
	return strings.HasPrefix(code, "22") || strings.HasPrefix(code, "54") || code == dataCorrupted
}

// codeOf returns the SQLSTATE, "" if the error is not the server's.
func codeOf(err error) string {
	if fault, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fault.Code
	}
	return ""
}

// readable returns the wanted ids of the table, except for unreadable rows.
func (r *Renderer) readable(of table) []int64 {
	ids, rows := r.batch.want[of].ids, r.unreadable.rows
	if len(rows) == 0 {
		return ids
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return rows[rowOf{of, id}] })
}

// exclude looks for the unreadable rows among those wanted after the batch's queries have
// failed. It returns nil if there are any: then the batch can be read without them.
// Otherwise it returns cause.
func (r *Renderer) exclude(ctx context.Context, cause error) error {
	if !isOfRow(cause) {
		return cause
	}
	before := len(r.unreadable.rows)
	for of := project; of < tables; of++ {
		if err := r.tryRows(ctx, of, r.readable(of)); err != nil {
			return err
		}
	}
	if len(r.unreadable.rows) == before {
		return cause
	}
	return nil
}

// tryRows reads the rows without keeping them, and halves them until each unreadable one
// is alone.
func (r *Renderer) tryRows(ctx context.Context, of table, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	q := r.rows(nil, of, ids, nil)[0]
	if of == task {
		q.args = append(q.args, []byte("false")) // without the snapshot
	}
	q.keeps = func(*cdc.Relation, [][]byte) bool { return false }
	err := ask(ctx, r.db, []query{q})
	switch {
	case !isOfRow(err):
		return err
	case len(ids) > 1:
		half := len(ids) / 2
		if err := r.tryRows(ctx, of, ids[:half]); err != nil {
			return err
		}
		return r.tryRows(ctx, of, ids[half:])
	}
	r.unreadable.add(rowOf{of, ids[0]}, err, r.opts)
	return nil
}

// add records a row, and logs it once. The message of the error may have values of the row.
func (u *unreadable) add(row rowOf, err error, o Options) {
	u.rows[row] = true
	if u.told[row] {
		return
	}
	if len(u.told) >= toldRows {
		clear(u.told)
	}
	u.told[row] = true
	o.Log.Error("the database does not return a row: payloads have only its id", "table", o.Tables.name(row.of), "id", row.id, "sqlstate", codeOf(err))
}
