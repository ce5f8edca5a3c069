package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/internal/display"
)

// Versions of the server, in the form of server_version_num.
const (
	version14 = 140000 // the oldest that is supported
	version17 = 170000 // slots synchronized to standbys
	version18 = 180000 // generated columns are published; idle slots may be dropped
)

func lookAtVersion(_ context.Context, x *examination) ([]Finding, error) {
	major := x.version / 10000
	switch {
	case x.version < version14:
		return one(Failure, fmt.Sprintf("PostgreSQL %d is too old", major), "Its pgoutput has no option messages, which the heartbeat needs.",
			"upgrade to 14 or newer, 17 or newer if there are standbys"), nil
	case x.version < version17:
		return one(Note, fmt.Sprintf("PostgreSQL %d cannot synchronize a slot to a standby", major),
			"After a promotion or a failover of a managed service, the slot may be missing. hooktail then stops with exit code 3 and reports which changes are missing; it never skips them silently.",
			"after a promotion: `hooktail repair --resend`; PostgreSQL 17 and later have failover slots"), nil
	}
	return fine("PostgreSQL %d", major), nil
}

func lookAtPrimary(ctx context.Context, x *examination) ([]Finding, error) {
	var standby bool
	if err := x.value(ctx, "SELECT pg_catalog.pg_is_in_recovery()", nil, &standby); err != nil || !standby {
		return nil, err
	}
	return one(Failure, "the server is a standby", "hooktail writes its heartbeat and parked deliveries: it needs the primary.",
		"set HOOKTAIL_DATABASE_URL to the primary, or to several hosts with target_session_attrs=read-write"), nil
}

func lookAtWALLevel(ctx context.Context, x *examination) ([]Finding, error) {
	if x.version < version14 {
		return nil, nil
	}
	_, err := cdc.VersionOf(ctx, x.conn.PgConn())
	return faults(err, "Only then can the rows in the WAL be decoded. The change needs a restart.")
}

// lookAtSlots counts the free ones: setup needs one, and `hooktail tail` another while it
// runs.
func lookAtSlots(ctx context.Context, x *examination) ([]Finding, error) {
	var limit, used int
	var there bool
	if err := x.value(ctx, `SELECT current_setting('max_replication_slots')::int, count(*), coalesce(bool_or(slot_name = $1), false)
		FROM pg_catalog.pg_replication_slots`, []any{x.Config.Slot}, &limit, &used, &there); err != nil {
		return nil, err
	}
	const mend = "ALTER SYSTEM SET max_replication_slots = %d; -- then restart PostgreSQL; or drop one that nobody needs: SELECT slot_name, active FROM pg_replication_slots;"
	switch {
	case used < limit:
		return fine("%d of %d replication slots are free", limit-used, limit), nil
	case !there:
		return one(Failure, fmt.Sprintf("all %d replication slots are in use", limit), "`hooktail setup` cannot create its slot.", fmt.Sprintf(mend, limit+2)), nil
	}
	return one(Note, fmt.Sprintf("all %d replication slots are in use, one of them by hooktail", limit), "`hooktail tail` needs another one while it runs.", fmt.Sprintf(mend, limit+1)), nil
}

func lookAtSenders(ctx context.Context, x *examination) ([]Finding, error) {
	var limit, used int
	var ours bool
	if err := x.value(ctx, `SELECT current_setting('max_wal_senders')::int, (SELECT count(*) FROM pg_catalog.pg_stat_replication),
		EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1 AND active)`, []any{x.Config.Slot}, &limit, &used, &ours); err != nil {
		return nil, err
	}
	if used < limit {
		return fine("%d of %d WAL senders are free", limit-used, limit), nil
	}
	severity, why := Failure, "hooktail cannot start streaming."
	if ours {
		severity, why = Warning, "hooktail is streaming, but may be unable to reconnect."
	}
	return one(severity, fmt.Sprintf("all %d WAL senders are in use", limit), why,
		fmt.Sprintf("ALTER SYSTEM SET max_wal_senders = %d; -- then restart PostgreSQL", limit+2)), nil
}

func lookAtSynchronous(ctx context.Context, x *examination) ([]Finding, error) {
	return faults(cdc.CheckSynchronous(ctx, x.conn.PgConn()), "The application would hang until its events are delivered: hooktail does not stream.")
}

// neededConnections is the number of connections that run opens: two pools of four, the
// lock and the stream.
const neededConnections = 10

func lookAtConnections(ctx context.Context, x *examination) (found []Finding, _ error) {
	var free, role, database int
	if err := x.value(ctx, `SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
			- coalesce(current_setting('reserved_connections', true), '0')::int - (SELECT sum(numbackends) FROM pg_catalog.pg_stat_database)::int,
		(SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = current_user),
		(SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = current_database())`, nil, &free, &role, &database); err != nil {
		return nil, err
	}
	const why = "Without them events wait: rows cannot be read, and deliveries cannot be parked."
	if free < neededConnections {
		found = append(found, one(Warning, fmt.Sprintf("%d connections are free, hooktail opens up to %d", max(free, 0), neededConnections), why,
			"ALTER SYSTEM SET max_connections = …; -- then restart PostgreSQL; or let the application open fewer")...)
	}
	if role >= 0 && role < neededConnections {
		found = append(found, one(Warning, fmt.Sprintf("role %q may have %d connections, hooktail opens up to %d", x.role, role, neededConnections), why,
			fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT %d;", x.roleName(), 2*neededConnections))...)
	}
	if database >= 0 && database < neededConnections {
		found = append(found, one(Warning, fmt.Sprintf("the database may have %d connections, hooktail opens up to %d", database, neededConnections), why,
			"ALTER DATABASE … CONNECTION LIMIT -1;")...)
	}
	if found == nil {
		return fine("%d connections are free, hooktail opens up to %d", free, neededConnections), nil
	}
	return found, nil
}

// skewLimit is the accepted difference between the clocks.
const skewLimit = 5 * time.Second

func lookAtClock(ctx context.Context, x *examination) ([]Finding, error) {
	var micros int64
	asked := x.Now()
	if err := x.value(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", nil, &micros); err != nil {
		return nil, err
	}
	answered := x.Now()
	within := answered.Sub(asked) / 2
	return wrongClock("the database's clock", time.UnixMicro(micros).Sub(asked.Add(within)), within,
		"Latencies and ages in metrics are wrong by that much, and a receiver that checks webhook-timestamp may refuse requests."), nil
}

// wrongClock reports a clock that is ahead of this machine's, give or take within, by more
// than skewLimit.
func wrongClock(clock string, ahead, within time.Duration, why string) []Finding {
	if ahead.Abs() <= skewLimit+within {
		return nil
	}
	way := "ahead of"
	if ahead < 0 {
		way = "behind"
	}
	return one(Warning, fmt.Sprintf("%s is %s %s this machine's", clock, display.Span(ahead.Abs()), way), why, "synchronize both clocks with NTP: timedatectl set-ntp true")
}
