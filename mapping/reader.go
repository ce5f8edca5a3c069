package mapping

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/cdc"
)

// reader runs one query again and again and gives its rows the form of the
// stream's, so that one encoder serves both. The relation is another one only
// when the columns are others.
type reader struct {
	db       Querier
	relation *cdc.Relation
	values   []cdc.Value
}

// each calls row for each row of the result, with the relation of all of them.
// Values come in their text form: the query is run without a prepared statement,
// which would also outlive a change of the table.
func (r *reader) each(ctx context.Context, sql string, arg any, row func(*cdc.Relation, cdc.Tuple)) error {
	return r.eachOf(ctx, sql, []any{arg}, row)
}

// eachOf is each, of a query with several parameters.
func (r *reader) eachOf(ctx context.Context, sql string, args []any, row func(*cdc.Relation, cdc.Tuple)) error {
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
		r.values = r.values[:0]
		for _, text := range rows.RawValues() {
			value := cdc.Value{Kind: cdc.Text, Text: text}
			if text == nil {
				value.Kind = cdc.Null
			}
			r.values = append(r.values, value)
		}
		row(r.relation, cdc.MakeTuple(r.values...))
	}
	return rows.Err()
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
