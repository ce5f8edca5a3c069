package mapping

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/cdc"
)

// eachRow runs a query, which is not prepared, and calls row for each row of the result,
// which it has scanned into to.
func eachRow(ctx context.Context, db Querier, sql string, args, to []any, row func()) error {
	rows, err := db.Query(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, to, func() error {
		row()
		return nil
	})
	return err
}

// reader converts the rows of a repeated query to the form of the stream, so that one
// encoder serves both. The relation only changes with the columns.
type reader struct {
	relation *cdc.Relation
	values   []cdc.Value
}

// tuple returns the row of these values; nil is null. It shares no memory with them.
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
