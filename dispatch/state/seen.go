package state

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
)

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
