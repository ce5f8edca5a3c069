package cdc

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// rows runs one query over the simple protocol, which replication connections require,
// and returns its rows as text; null is "".
func rows(ctx context.Context, conn *pgconn.PgConn, sql string) ([][]string, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	var out [][]string
	for _, result := range results {
		for _, values := range result.Rows {
			row := make([]string, len(values))
			for i, v := range values {
				row[i] = string(v)
			}
			out = append(out, row)
		}
	}
	return out, nil
}

// row returns the only row of a query.
func row(ctx context.Context, conn *pgconn.PgConn, sql string) ([]string, error) {
	out, err := rows(ctx, conn, sql)
	if err != nil {
		return nil, err
	}
	if len(out) != 1 {
		return nil, fmt.Errorf("%d rows, not 1", len(out))
	}
	return out[0], nil
}

// exec runs statements without results.
func exec(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	_, err := conn.Exec(ctx, sql).ReadAll()
	return err
}

// quoteIdent quotes a name, or the dotted parts of one.
func quoteIdent(parts ...string) string { return pgx.Identifier(parts).Sanitize() }

// textList returns the names of tables for IN (…).
func textList(tables []Table) string {
	names := []string{"''"} // a list needs at least one element
	for _, t := range tables {
		names = append(names, quoteText(t.String()))
	}
	return strings.Join(names, ", ")
}

// quoteText returns a string constant that does not depend on
// standard_conforming_strings.
func quoteText(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\x00", ""), "'", "''")
	if strings.Contains(s, `\`) {
		return "E'" + strings.ReplaceAll(s, `\`, `\\`) + "'"
	}
	return "'" + s + "'"
}
