package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/hooktail/hooktail/internal/display"
)

// small is the least that a slot should be able to retain.
const small = 256 << 20

// lookAtKeepSize compares the bound on what slots retain with what the server writes.
func lookAtKeepSize(ctx context.Context, x *examination) ([]Finding, error) {
	var limit int64 // bytes; negative: unlimited
	var written int64
	var text string
	var since time.Duration
	err := x.value(ctx, `SELECT pg_catalog.pg_size_bytes(CASE WHEN setting = '-1' THEN '-1' ELSE setting || unit END), current_setting('max_slot_wal_keep_size')
		FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size'`, nil, &limit, &text)
	if err != nil {
		return nil, err
	}
	sizing := "Choose the amount of WAL that the server writes in the longest time that hooktail may be down, and less than the free disk space."
	if err := x.value(ctx, `SELECT (wal_bytes / greatest(extract(epoch FROM now() - stats_reset), 1) * 86400)::bigint, now() - stats_reset
		FROM pg_catalog.pg_stat_wal`, nil, &written, &since); err == nil && since > time.Hour {
		sizing += fmt.Sprintf(" In the last %s it wrote %s a day on average.", display.Span(since), display.Size(written))
	}
	const set = "ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; SELECT pg_reload_conf(); -- on a managed service: its parameter group or flag, see docs/managed.md"
	switch {
	case limit < 0:
		return one(Failure, "max_slot_wal_keep_size is unlimited",
			"While hooktail is stopped or disconnected, the slot retains all WAL that the server writes, until the disk is full and the database stops. With a bound the slot is lost instead, and hooktail reports what is missing. "+sizing, set), nil
	case limit < small:
		return one(Warning, "max_slot_wal_keep_size is only "+text,
			"The slot and its changes are lost when hooktail is down for the time in which the server writes that much. "+sizing, set), nil
	}
	return fine("a slot may retain %s of WAL (max_slot_wal_keep_size is %s)", display.Size(limit), text), nil
}

func lookAtIdleTimeout(ctx context.Context, x *examination) ([]Finding, error) {
	if x.version < version18 {
		return nil, nil
	}
	var text string
	var limit time.Duration
	if err := x.value(ctx, "SELECT current_setting('idle_replication_slot_timeout'), current_setting('idle_replication_slot_timeout')::interval",
		nil, &text, &limit); err != nil || limit == 0 {
		return nil, err
	}
	severity := Note
	if limit < 24*time.Hour {
		severity = Warning
	}
	return one(severity, "idle_replication_slot_timeout is "+text,
		"If hooktail is stopped for longer, it loses its slot and the changes since, even if the disk has room.",
		"ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf();"), nil
}
