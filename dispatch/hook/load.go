package hook

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// Querier is used by Load: a pgx connection, transaction or pool.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Load replaces the set by the rows of webhook, webhook_action and hook_setting as seen
// by q, or returns an error and changes nothing. Columns are found by name; a missing
// required column is a MissingColumnError. A row with invalid values refuses its hook, or
// is Unreadable. The session's DateStyle must be ISO.
func (h *Set) Load(ctx context.Context, q Querier) error {
	now, err := h.read(ctx, q)
	if err != nil {
		return fmt.Errorf("load hooks: %w", err)
	}
	h.rows = now.rows
	h.noted = true
	h.seen, h.end, h.catching = now.snapshot, now.end, !h.o.AtSlot
	h.index = index{} // built once, at the end
	h.showAll()
	h.index = newIndex(h.hooks, h.o.KeepUnadopted)
	h.o.Counter.Keep(h.hooks)
	h.memory.later = nil
	for id := range h.hooks {
		h.touch(id)
	}
	for id := range h.memory.written {
		h.touch(id)
	}
	return nil
}

// loaded is the result of Load's queries.
type loaded struct {
	rows
	snapshot snapshot
	end      uint64
}

func (h *Set) read(ctx context.Context, q Querier) (*loaded, error) {
	now := &loaded{rows: newRows(h.o.Deliver)}
	var err error
	if now.snapshot, err = readSnapshot(ctx, q); err != nil {
		return nil, err
	}
	if h.o.StateSchema != "" {
		err = h.readRows(ctx, q, HookSetting, func(row Row) error {
			_, _, _, err := now.resolve(row)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	err = h.readRows(ctx, q, WebhookAction, func(row Row) error {
		_, err := now.choose(row)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = h.readRows(ctx, q, Webhook, func(row Row) error {
		id, ok, err := now.hookID(row)
		if !ok || err != nil {
			return err
		}
		hook, err := readHook(row, nil)
		if err == nil {
			now.hooks[id] = now.finished(hook)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	now.end, err = readEnd(ctx, q)
	return now, err
}

// readText returns the single text that the query returns.
func readText(ctx context.Context, q Querier, sql string) (string, error) {
	rows, err := q.Query(ctx, sql)
	if err != nil {
		return "", err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
}

func readSnapshot(ctx context.Context, q Querier) (snapshot, error) {
	text, err := readText(ctx, q, "SELECT pg_catalog.pg_current_snapshot()::text")
	if err != nil {
		return snapshot{}, fmt.Errorf("read snapshot: %w", err)
	}
	return parseSnapshot(text)
}

// readEnd returns the end of the WAL: what is committed there or later was committed
// after everything that was read.
func readEnd(ctx context.Context, q Querier) (uint64, error) {
	text, err := readText(ctx, q, `SELECT ((CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END) - '0/0'::pg_lsn)::text`)
	if err != nil {
		return 0, fmt.Errorf("read the end of the WAL: %w", err)
	}
	end, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the end of the WAL: %w", err)
	}
	return end, nil
}

// tableName returns the table's name in SQL.
func (h *Set) tableName(t Table) string {
	switch t {
	case Webhook:
		return pgx.Identifier{h.o.Schema, h.o.WebhookTable}.Sanitize()
	case WebhookAction:
		return pgx.Identifier{h.o.Schema, h.o.WebhookActionTable}.Sanitize()
	default:
		return pgx.Identifier{h.o.StateSchema, string(HookSetting)}.Sanitize()
	}
}

// readRows calls each for every row of the table. A row is only valid during the call.
func (h *Set) readRows(ctx context.Context, q Querier, table Table, each func(Row) error) error {
	return queryRows(ctx, q, h.tableName(table), "", each)
}

// readRow returns the present row with that key, nil if there is none.
func (h *Set) readRow(ctx context.Context, q Querier, table Table, key string) (Row, error) {
	var found Row
	where := " WHERE " + pgx.Identifier{keyColumn(table)}.Sanitize() + "::text = $1"
	err := queryRows(ctx, q, h.tableName(table), where, func(row Row) error {
		found = row.(textRow).clone()
		return nil
	}, key)
	return found, err
}

func queryRows(ctx context.Context, q Querier, table, where string, each func(Row) error, args ...any) error {
	args = append([]any{
		pgx.QueryExecModeExec, // not prepared: the columns may change between two loads
		pgx.QueryResultFormats{pgx.TextFormatCode},
	}, args...)
	rows, err := q.Query(ctx, "SELECT * FROM "+table+where, args...)
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	defer rows.Close()
	row := textRow{columns: make(map[string]int)}
	for i, field := range rows.FieldDescriptions() {
		row.columns[field.Name] = i
	}
	for rows.Next() {
		row.values = rows.RawValues()
		if err := each(row); err != nil {
			return fmt.Errorf("read %s: %w", table, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	return nil
}

// textRow is a row of a query in text format.
type textRow struct {
	columns map[string]int
	values  [][]byte
}

// clone returns a copy of the row.
func (r textRow) clone() textRow {
	values := make([][]byte, len(r.values))
	for i, value := range r.values {
		if value != nil {
			values[i] = append([]byte{}, value...)
		}
	}
	return textRow{r.columns, values}
}

// Text returns the column's value; ok is false if the table lacks the column.
func (r textRow) Text(column string) (value string, null, ok bool) {
	i, ok := r.columns[column]
	if !ok {
		return "", false, false
	}
	return string(r.values[i]), r.values[i] == nil, true
}
