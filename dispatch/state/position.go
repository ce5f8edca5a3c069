package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
)

// Positions is the memory of one slot: how far it was read, on which server, and a gap
// that was found and not repaired. Each method but Replace is a single statement; none of
// them waits for the application.
type Positions struct {
	db     Querier
	schema string
	table  string
	slot   string
}

// NewPositions returns the memory of the slot in the schema.
func NewPositions(db Querier, schema, slot string) *Positions {
	return &Positions{db: db, schema: schema, table: quote(schema, "position"), slot: slot}
}

// Read returns the memory of an earlier run, nil if there is none.
func (p *Positions) Read(ctx context.Context) (*cdc.Memory, error) {
	rows, _ := p.db.Query(ctx, `SELECT system_id, timeline, end_lsn, committed_at, publication::text, clean, written_at,
		coalesce(decoded, 0), coalesce(decoded_from, ''), gap_why, coalesce(gap_from, '0/0'), gap_since, coalesce(gap_to, '0/0'), gap_found_at FROM `+p.table+` WHERE slot = $1`, p.slot) // its error is that of the rows
	memory, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (*cdc.Memory, error) {
		var memory cdc.Memory
		var publication string
		var why *string
		gap := cdc.Gap{Slot: p.slot}
		err := row.Scan(&memory.SystemID, &memory.Timeline, &memory.End, (*moment)(&memory.At), &publication, &memory.Clean, (*moment)(&memory.Written),
			&memory.Decoded.Transactions, &memory.Decoded.Since, &why, &gap.From, (*moment)(&gap.Since), &gap.To, (*moment)(&gap.Found))
		if err != nil {
			return nil, err
		}
		if why != nil {
			gap.Why, memory.Gap = *why, &gap
		}
		return &memory, json.Unmarshal([]byte(publication), &memory.Publication)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return memory, wrap(err, "read position")
}

// Others returns the other slots of the schema's database whose positions are recorded:
// those of other hooktails, which send every event too, or of earlier ones.
func (p *Positions) Others(ctx context.Context) ([]string, error) {
	slots, err := collect(ctx, p.db, pgx.RowTo[string], `SELECT p.slot FROM `+p.table+` AS p JOIN pg_catalog.pg_replication_slots AS s ON s.slot_name = p.slot
		WHERE p.slot <> $1 AND s.database = pg_catalog.current_database() ORDER BY p.slot`, p.slot)
	return slots, wrap(err, "look for other slots")
}

// Strangers returns those of Others whose hooktails serve another table of hooks, such as
// that of another Label Studio in the database. They must not share the schema: its
// deliveries and settings know a hook by its id alone.
func (p *Positions) Strangers(ctx context.Context, webhooks Table) ([]string, error) {
	slots, err := collect(ctx, p.db, pgx.RowTo[string], `SELECT p.slot FROM `+p.table+` AS p JOIN pg_catalog.pg_replication_slots AS s ON s.slot_name = p.slot
		WHERE p.slot <> $1 AND s.database = pg_catalog.current_database() AND p.publication ? '' AND NOT p.publication ? $2 ORDER BY p.slot`,
		p.slot, webhooks.Schema+"."+webhooks.Name)
	return slots, wrap(err, "look for other tables of hooks")
}

// Write records how far the slot was read. If the position is behind the recorded one, as
// after a crash of the server, only the time of the write changes.
func (p *Positions) Write(ctx context.Context, memory *cdc.Memory) error {
	return p.put(ctx, memory, `end_lsn = greatest(p.end_lsn, excluded.end_lsn), committed_at = CASE WHEN excluded.end_lsn < p.end_lsn THEN p.committed_at
		ELSE coalesce(excluded.committed_at, p.committed_at) END`)
}

// Replace replaces everything known of the slot by memory and its gap. If it fails, the
// earlier position remains, and a gap with it, but no longer what hooks wanted there.
func (p *Positions) Replace(ctx context.Context, memory *cdc.Memory) error {
	if err := ForgetSeen(ctx, p.db, p.schema, p.slot); err != nil {
		return err
	}
	return p.put(ctx, memory, `end_lsn = excluded.end_lsn, committed_at = excluded.committed_at, gap_why = excluded.gap_why,
		gap_from = excluded.gap_from, gap_since = excluded.gap_since, gap_to = excluded.gap_to, gap_found_at = excluded.gap_found_at`)
}

// put inserts the row, or updates those columns in addition to the ones that always
// change.
func (p *Positions) put(ctx context.Context, memory *cdc.Memory, columns string) error {
	publication, err := json.Marshal(memory.Publication)
	if err != nil {
		return fmt.Errorf("write position: %w", err)
	}
	args := []any{p.slot, memory.SystemID, memory.Timeline, memory.End, orNull(memory.At), string(publication), memory.Clean}
	args = append(args, gapColumns(memory.Gap)...)
	tag, err := p.db.Exec(ctx, `WITH decoded (total_txns, since) AS (`+cdc.DecodedQuery("$1::text")+`) INSERT INTO `+p.table+` AS p (slot, system_id, timeline, end_lsn, committed_at, publication, clean, decoded, decoded_from,
			gap_why, gap_from, gap_since, gap_to, gap_found_at)
		SELECT $1, $2, $3::integer, $4, $5, $6::text::jsonb, $7, (SELECT total_txns FROM decoded), (SELECT since FROM decoded), $8::text, $9, $10, $11, CASE WHEN $8::text IS NOT NULL THEN now() END
		WHERE $3::integer = `+cdc.TimelineQuery+`
		ON CONFLICT (slot) DO UPDATE SET system_id = excluded.system_id, timeline = excluded.timeline, publication = excluded.publication,
			clean = excluded.clean, written_at = now(), decoded = excluded.decoded, decoded_from = excluded.decoded_from, `+columns, args...)
	if err == nil && tag.RowsAffected() == 0 {
		// A promotion that the stream has not noticed yet. What it has read does not apply to
		// the present server.
		err = errors.New("the server is on another timeline than the one that was read")
	}
	return wrap(err, "write position")
}

// gapColumns returns the columns of the gap: nulls if there is none.
func gapColumns(gap *cdc.Gap) []any {
	if gap == nil {
		return []any{nil, nil, nil, nil}
	}
	return []any{gap.Why, gap.From, orNull(gap.Since), gap.To}
}

// Found records a gap, which remains until it is repaired.
func (p *Positions) Found(ctx context.Context, gap *cdc.Gap) error {
	_, err := p.db.Exec(ctx, `UPDATE `+p.table+` SET gap_why = $2, gap_from = $3, gap_since = $4, gap_to = $5, gap_found_at = now()
		WHERE slot = $1 AND gap_why IS NULL`, append([]any{p.slot}, gapColumns(gap)...)...)
	return wrap(err, "record the gap")
}

// Seen is the events that a hook wanted from a commit on, in a form known to the caller.
type Seen struct {
	Hook   int64
	LSN    uint64 // commit; 0: from the beginning of the slot
	Wanted []byte // JSON; nil: the hook did not exist
}

// noHook is the id of the row which states that a slot's hooks were recorded, even if
// there were none.
const noHook = 0

// HooksSeen returns what was recorded for the slot, for each hook in the order of
// commits. known is false if nothing was recorded since the slot was created.
func HooksSeen(ctx context.Context, q Querier, schema, slot string) (seen []Seen, known bool, err error) {
	seen, err = collect(ctx, q, func(row pgx.CollectableRow) (s Seen, err error) {
		err = row.Scan(&s.Hook, (*cdc.LSN)(&s.LSN), &s.Wanted)
		return s, err
	}, "SELECT hook_id, lsn, wanted FROM "+quote(schema, "hook_seen")+" WHERE slot = $1 ORDER BY hook_id, lsn", slot)
	if err != nil || len(seen) == 0 {
		return nil, false, wrap(err, "read hooks seen")
	}
	return slices.DeleteFunc(seen, func(s Seen) bool { return s.Hook == noHook }), true, nil
}

// WriteSeen records what hooks want from these commits on, before anything of them is
// confirmed. It may be repeated. It removes rows of the same hooks that are no longer
// needed, because the slot's recorded position is beyond their successors.
func WriteSeen(ctx context.Context, db Querier, schema, slot string, seen []Seen) error {
	table := quote(schema, "hook_seen")
	hooks := column(seen, func(s *Seen) int64 { return s.Hook })
	lsns := column(seen, func(s *Seen) string { return cdc.LSN(s.LSN).String() })
	wanted := column(seen, func(s *Seen) *string {
		if s.Wanted == nil {
			return nil
		}
		return new(string(s.Wanted))
	})
	_, err := db.Exec(ctx, `INSERT INTO `+table+` (slot, hook_id, lsn, wanted)
		SELECT $1, hook_id, lsn::pg_lsn, wanted FROM unnest($2::bigint[], $3::text[], $4::text[]) AS s (hook_id, lsn, wanted)
		UNION ALL SELECT $1, `+fmt.Sprint(noHook)+`, '0/0', NULL
		ON CONFLICT (slot, hook_id, lsn) DO UPDATE SET wanted = excluded.wanted`, slot, hooks, lsns, wanted)
	if err != nil {
		return wrap(err, "write hooks seen")
	}
	_, err = db.Exec(ctx, `DELETE FROM `+table+` old USING `+table+` new, `+quote(schema, "position")+` p
		WHERE old.slot = $1 AND new.slot = $1 AND p.slot = $1 AND old.hook_id = ANY($2) AND new.hook_id = old.hook_id
		AND old.lsn < new.lsn AND new.lsn <= p.end_lsn`, slot, hooks)
	if err == nil {
		_, err = db.Exec(ctx, `DELETE FROM `+table+` old USING `+quote(schema, "position")+` p
			WHERE old.slot = $1 AND p.slot = $1 AND old.wanted IS NULL AND old.hook_id <> `+fmt.Sprint(noHook)+` AND old.lsn <= p.end_lsn
			AND NOT EXISTS (SELECT FROM `+table+` other WHERE other.slot = old.slot AND other.hook_id = old.hook_id AND other.lsn <> old.lsn)`, slot)
	}
	return wrap(err, "remove old rows of hooks seen")
}

// ForgetSeen removes everything recorded for a slot that was recreated and begins with
// the present hooks.
func ForgetSeen(ctx context.Context, db Querier, schema, slot string) error {
	_, err := db.Exec(ctx, "DELETE FROM "+quote(schema, "hook_seen")+" WHERE slot = $1", slot)
	return wrap(err, "forget hooks seen")
}
