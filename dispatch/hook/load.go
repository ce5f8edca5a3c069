package hook

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/dispatch/state"
)

// Load replaces the set by the rows of webhook, webhook_action and hook_setting as seen
// by q, or returns an error and changes nothing. Columns are found by name; a missing
// required column is a MissingColumnError. A row with invalid values refuses its hook, or
// is Unreadable. The session's DateStyle must be ISO.
func (h *Set) Load(ctx context.Context, q state.Querier) error {
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
	if h.o.Counter != nil {
		h.o.Counter.Keep(h.hooks)
	}
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

func (h *Set) read(ctx context.Context, q state.Querier) (*loaded, error) {
	now := &loaded{rows: newRows(h.o.Deliver)}
	text, err := readOne[string](ctx, q, "SELECT pg_catalog.pg_current_snapshot()::text")
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	if now.snapshot, err = parseSnapshot(text); err != nil {
		return nil, err
	}
	if h.o.StateSchema != "" {
		err = queryRows(ctx, q, h.tableName(HookSetting), "", func(row Row) error {
			_, _, _, err := now.resolve(row)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	err = queryRows(ctx, q, h.tableName(WebhookAction), "", func(row Row) error {
		_, err := now.choose(row)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = queryRows(ctx, q, h.tableName(Webhook), "", func(row Row) error {
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
	// What is committed at the end of the WAL or later was committed after everything that
	// was read.
	now.end, err = readOne[uint64](ctx, q, `SELECT ((CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END) - '0/0'::pg_lsn)::bigint`)
	if err != nil {
		return nil, fmt.Errorf("read the end of the WAL: %w", err)
	}
	return now, nil
}

func readOne[T any](ctx context.Context, q state.Querier, sql string) (T, error) {
	rows, _ := q.Query(ctx, sql) // its error is that of the rows
	return pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
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

// readRow returns the present row with that key, nil if there is none.
func (h *Set) readRow(ctx context.Context, q state.Querier, table Table, key string) (Row, error) {
	var found Row
	where := " WHERE " + pgx.Identifier{RequiredColumns(table)[0]}.Sanitize() + "::text = $1"
	err := queryRows(ctx, q, h.tableName(table), where, func(row Row) error {
		read := row.(textRow)
		values := slices.Clone(read.values)
		for i, value := range values {
			values[i] = bytes.Clone(value)
		}
		found = textRow{read.columns, values}
		return nil
	}, key)
	return found, err
}

// queryRows calls each for the rows of the table that meet the condition. A row is only
// valid during the call.
func queryRows(ctx context.Context, q state.Querier, table, where string, each func(Row) error, args ...any) error {
	args = append([]any{
		pgx.QueryExecModeExec, // not prepared: the columns may change between two loads
		pgx.QueryResultFormats{pgx.TextFormatCode},
	}, args...)
	rows, err := q.Query(ctx, "SELECT * FROM "+table+where, args...)
	if err == nil { // rows that were never begun cannot say what they have
		columns := make(map[string]int)
		for i, field := range rows.FieldDescriptions() {
			columns[field.Name] = i
		}
		_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
			return struct{}{}, each(textRow{columns, row.RawValues()})
		})
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	return nil
}

// textRow is a row of a query in text format.
type textRow struct {
	columns map[string]int
	values  [][]byte
}

// Text returns the column's value; ok is false if the table lacks the column.
func (r textRow) Text(column string) (value string, null, ok bool) {
	i, ok := r.columns[column]
	if !ok {
		return "", false, false
	}
	return string(r.values[i]), r.values[i] == nil, true
}

// snapshot defines exactly which transactions were visible to a query, independent of
// clocks, even if a commit has waited for a standby. The zero snapshot saw none.
// https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
type snapshot struct {
	min, max uint64   // all below min had ended; none from max on was visible
	running  []uint64 // running ones between them, in order
}

// parseSnapshot reads the text form of pg_snapshot: xmin:xmax:xip,xip.
func parseSnapshot(text string) (snapshot, error) {
	var xids []uint64
	for field := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ':' || r == ',' }) {
		xid, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return snapshot{}, fmt.Errorf("%q is not a snapshot", text)
		}
		xids = append(xids, xid)
	}
	if len(xids) < 2 || strings.Count(text, ":") != 2 {
		return snapshot{}, fmt.Errorf("%q is not a snapshot", text)
	}
	slices.Sort(xids[2:])
	return snapshot{min: xids[0], max: xids[1], running: xids[2:]}, nil
}

// saw reports whether the committed transaction was visible. The stream contains the id
// without its epoch, which is that of the transactions around the snapshot. 0 is no
// transaction.
func (s *snapshot) saw(xid uint32) bool {
	if s.max == 0 || xid == 0 {
		return false
	}
	full := s.max + uint64(int64(int32(xid-uint32(s.max)))) // at most 2³¹ away
	if full >= s.max {
		return false
	}
	_, running := slices.BinarySearch(s.running, full)
	return full < s.min || !running
}
