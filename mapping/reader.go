package mapping

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/cdc"
)

// reader gives the rows of one query, which runs again and again, the form of the
// stream's, so that one encoder serves both. The relation is another one only
// when the columns are others.
type reader struct {
	db       Querier
	relation *cdc.Relation
	values   []cdc.Value
}

// each calls row for each row of the result, with the relation of all of them.
// Values come in their text form, by a query that is asked once.
func (r *reader) each(ctx context.Context, sql string, args []any, row func(*cdc.Relation, cdc.Tuple)) error {
	rows, err := r.db.Query(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	described := false
	for rows.Next() {
		if !described {
			r.describe(rows.FieldDescriptions())
			described = true
		}
		row(r.relation, r.tuple(rows.RawValues()))
	}
	return rows.Err()
}

// tuple is the row of these values, where nil stands for null. It shares nothing
// with them.
func (r *reader) tuple(texts [][]byte) cdc.Tuple {
	r.values = r.values[:0]
	for _, text := range texts {
		value := cdc.Value{Kind: cdc.Text, Text: text}
		if text == nil {
			value.Kind = cdc.Null
		}
		r.values = append(r.values, value)
	}
	return cdc.MakeTuple(r.values...)
}

func (r *reader) describe(fields []pgconn.FieldDescription) {
	same := func(c cdc.Column, f pgconn.FieldDescription) bool { return c.Name == f.Name && c.Type == f.DataTypeOID }
	if r.relation != nil && slices.EqualFunc(r.relation.Columns, fields, same) {
		return
	}
	r.relation = &cdc.Relation{Columns: make([]cdc.Column, len(fields))}
	for i, f := range fields {
		r.relation.Columns[i] = cdc.Column{Name: f.Name, Type: f.DataTypeOID}
	}
}
