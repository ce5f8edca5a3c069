package dispatch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Querier is what Load reads with: a pgx connection, transaction or pool.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Load replaces the set by the rows of webhook, webhook_action and hook_setting as q
// sees them, or leaves it as it is and returns an error.
// Columns are found by name; that a required one is missing is an error that
// names it. The session's DateStyle has to be ISO.
func (h *Hooks) Load(ctx context.Context, q Querier) error {
	before := h.set
	if err := h.load(ctx, q); err != nil {
		h.set = before
		return fmt.Errorf("load hooks: %w", err)
	}
	changed := slices.Collect(maps.Keys(h.hooks))
	for id := range before.hooks {
		if h.hooks[id] == nil {
			h.o.Metrics.forget(id)
			changed = append(changed, id)
		}
	}
	h.publish(changed...)
	return nil
}

// RequiredColumns are the columns without which the rows of a table cannot be read.
func RequiredColumns(t Table) []string {
	switch t {
	case Webhook:
		return []string{"id", "organization_id", "send_payload", "send_for_all_actions", "is_active", "url"}
	case WebhookAction:
		return []string{"id", "webhook_id", "action"}
	default:
		return []string{"hook_id", "adopted"}
	}
}

func (h *Hooks) load(ctx context.Context, q Querier) error {
	at, err := readClock(ctx, q)
	if err != nil {
		return err
	}
	h.set = newSet(at)
	if err := h.loadSettings(ctx, q); err != nil {
		return err
	}
	if err := readRows(ctx, q, h.o.Schema, h.o.WebhookActionTable, "id", h.choose); err != nil {
		return err
	}
	if err := readRows(ctx, q, h.o.Schema, h.o.WebhookTable, "id", func(row Row) error {
		hook, err := readHook(row, nil)
		if err != nil {
			return err
		}
		if !h.o.AtSlot {
			hook.since = hook.CreatedAt
			if hook.since.After(at) { // the application's clock is ahead
				hook.since = at
			}
		}
		h.put(hook)
		return nil
	}); err != nil {
		return err
	}
	h.end, err = readEnd(ctx, q)
	return err
}

func (h *Hooks) loadSettings(ctx context.Context, q Querier) error {
	if h.o.StateSchema == "" {
		return nil
	}
	return readRows(ctx, q, h.o.StateSchema, string(HookSetting), "hook_id", func(row Row) error {
		hook, adopted, err := readSetting(row, false)
		h.adopt(hook, adopted)
		return err
	})
}

func readClock(ctx context.Context, q Querier) (time.Time, error) {
	rows, err := q.Query(ctx, `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`)
	if err != nil {
		return time.Time{}, fmt.Errorf("read clock: %w", err)
	}
	text, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
	if err != nil {
		return time.Time{}, fmt.Errorf("read clock: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("read clock: %w", err)
	}
	return at, nil
}

// readEnd is where the WAL ends: what is committed there or later, whatever the
// clocks say, was committed after all that has been read.
func readEnd(ctx context.Context, q Querier) (uint64, error) {
	rows, err := q.Query(ctx, `SELECT ((CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END) - '0/0'::pg_lsn)::text`)
	if err != nil {
		return 0, fmt.Errorf("read the end of the WAL: %w", err)
	}
	text, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
	if err != nil {
		return 0, fmt.Errorf("read the end of the WAL: %w", err)
	}
	end, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the end of the WAL: %w", err)
	}
	return end, nil
}

// readRows calls each for every row of the table, in order of the key. The row is
// valid during the call alone.
func readRows(ctx context.Context, q Querier, schema, table, key string, each func(Row) error) error {
	name := pgx.Identifier{schema, table}.Sanitize()
	rows, err := q.Query(ctx, "SELECT * FROM "+name+" ORDER BY "+key,
		pgx.QueryExecModeExec, // not prepared: the columns may change between two loads
		pgx.QueryResultFormats{pgx.TextFormatCode})
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	defer rows.Close()
	row := textRow{columns: make(map[string]int)}
	for i, field := range rows.FieldDescriptions() {
		row.columns[field.Name] = i
	}
	for rows.Next() {
		row.values = rows.RawValues()
		if err := each(row); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// textRow is a row of a query in text format.
type textRow struct {
	columns map[string]int
	values  [][]byte
}

// Text is the column's value.
func (r textRow) Text(column string) (value string, null, ok bool) {
	i, ok := r.columns[column]
	if !ok {
		return "", false, false
	}
	return string(r.values[i]), r.values[i] == nil, true
}
