package cdc

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
)

// Slot is the state of the replication slot and of its server when the stream connected.
type Slot struct {
	SystemID string // of the server
	Timeline int32  // of the server
	Name     string
	// Confirmed is the beginning of the stream: everything before it was confirmed, or was done.
	Confirmed LSN
	Done      LSN       // everything before it was done by an earlier run; 0: unknown
	Written   LSN       // end of the server's written WAL
	At        time.Time // everything committed before it precedes Confirmed, as far as an earlier run knew
	WALStatus string    // reserved, extended, unreserved, lost
	ActivePID string    // server process that reads it; "": none
	Published Published
	Decoded   Decoded // only read if an earlier run has left a value to compare with
}

// Table names a table that the publication must have.
type Table struct {
	Schema, Name string
	// IdentityFull requests REPLICA IDENTITY FULL from Setup, so that a DELETE and the
	// old side of an UPDATE have all columns.
	IdentityFull bool
}

func (t Table) String() string { return t.Schema + "." + t.Name }

// oldestServer is the first version with pgoutput's option messages.
const oldestServer = 140000

// VersionOf returns the server's version in the form of server_version_num. A server that
// cannot have a logical slot is a *Fault.
func VersionOf(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	r, err := row(ctx, conn, "SELECT current_setting('server_version_num'), current_setting('wal_level')")
	if err != nil {
		return 0, fmt.Errorf("read wal_level: %w", err)
	}
	version, err := strconv.Atoi(r[0])
	if err != nil {
		return 0, fmt.Errorf("read server version: %w", err)
	}
	if version < oldestServer {
		return 0, &Fault{Reason: ServerVersion, What: fmt.Sprintf("PostgreSQL %d is too old", version/10000), Mend: "version 14 or later is required"}
	}
	if !canDecode(version, r[1]) {
		return 0, &Fault{
			Reason: WALLevel, What: "wal_level is " + r[1],
			Mend: "logical decoding needs wal_level = logical: ALTER SYSTEM SET wal_level = 'logical'; then restart PostgreSQL " +
				"(RDS, Aurora: rds.logical_replication=1 in the parameter group; Cloud SQL: cloudsql.logical_decoding=on; " +
				"Azure: server parameter wal_level; Neon: logical replication in the project's settings)",
		}
	}
	return version, nil
}

// onDemandServer is the first version that raises its WAL level from replica to logical
// while it has a logical slot. effective_wal_level shows that only after the first slot.
// https://www.postgresql.org/docs/19/runtime-config-wal.html#GUC-WAL-LEVEL
const onDemandServer = 190000

// canDecode reports whether a server with this wal_level can have logical slots.
func canDecode(version int, walLevel string) bool {
	return walLevel == "logical" || walLevel == "replica" && version >= onDemandServer
}

// CheckSlot returns the present slot, without system and timeline. A slot that a stream
// cannot read is a *Fault, and a lost slot is a *Gap, returned together with the slot.
func CheckSlot(ctx context.Context, conn *pgconn.PgConn, name string) (*Slot, error) {
	// to_jsonb reads columns that only some versions have.
	found, err := rows(ctx, conn, `SELECT s.slot_type, s.plugin, s.database, current_database(), s.active_pid, s.wal_status,
		coalesce(s.confirmed_flush_lsn, '0/0'), to_jsonb(s)->>'invalidation_reason', s.temporary AND s.active_pid <> pg_backend_pid(), s.two_phase
		FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = `+quoteText(name))
	if err != nil {
		return nil, fmt.Errorf("inspect slot %q: %w", name, err)
	}
	if len(found) == 0 {
		return nil, slotMissing(name)
	}
	r := found[0]
	wrong := ""
	switch {
	case r[0] != "logical":
		wrong = "a " + r[0] + " slot"
	case r[1] != "pgoutput":
		wrong = fmt.Sprintf("of the plugin %q, not pgoutput", r[1])
	case r[2] != r[3]:
		wrong = fmt.Sprintf("of the database %q, not %q", r[2], r[3])
	case r[8] == "t":
		wrong = "a temporary slot of another session"
	}
	if wrong != "" {
		return nil, &Fault{Reason: SlotWrong, What: fmt.Sprintf("slot %q is %s", name, wrong), Mend: "choose another name"}
	}
	if r[9] == "t" {
		what := fmt.Sprintf("slot %q sends prepared transactions before they are committed (two_phase)", name)
		return nil, &Fault{Reason: SlotWrong, What: what, Mend: replaceSlot(name)}
	}
	slot := &Slot{Name: name, ActivePID: r[4], WALStatus: r[5]}
	if slot.Confirmed, err = pglogrepl.ParseLSN(r[6]); err != nil {
		return nil, fmt.Errorf("inspect slot %q: %w", name, err)
	}
	if slot.WALStatus == "lost" || r[7] != "" {
		why := "the slot is lost"
		why += " (" + cmp.Or(r[7], "more WAL than max_slot_wal_keep_size") + ")"
		return slot, &Gap{Slot: name, From: slot.Confirmed, Why: why}
	}
	return slot, nil
}

func slotMissing(name string) *Fault {
	return &Fault{Reason: SlotMissing, What: fmt.Sprintf("slot %q does not exist", name), Mend: "run `hooktail setup`"}
}

// replaceSlot returns the remedy for a slot whose rest cannot be used.
func replaceSlot(name string) string {
	return fmt.Sprintf("run SELECT pg_drop_replication_slot(%s); and then `hooktail setup`, "+
		"or `hooktail repair --resend` if hooktail has read from the slot before", quoteText(name))
}
