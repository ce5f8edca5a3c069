package cdc

import (
	"context"
	"fmt"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/postgres"
)

// The checks that a stream and Setup make, one by one, for those who want to know
// before. They read only.

// CheckReplication opens a connection in replication mode, as a stream does, and
// closes it. The system identifier is the server's. What trying again does not
// cure is a *Fault.
func CheckReplication(ctx context.Context, config *pgconn.Config) (systemID string, err error) {
	config = config.Copy()
	postgres.Fix(config, map[string]string{"replication": "database"})
	s := New(Options{Config: config})
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return "", s.refused(fmt.Errorf("connect for replication: %w", err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	system, err := pglogrepl.IdentifySystem(ctx, conn)
	if err != nil {
		return "", s.classify(fmt.Errorf("identify system: %w", err))
	}
	return system.SystemID, nil
}

// CheckTables returns a *Fault that names those of the tables that do not exist.
func CheckTables(ctx context.Context, conn *pgx.Conn, tables []Table) error {
	_, err := (&installer{conn: conn.PgConn(), plan: Plan{Tables: tables}}).tables(ctx)
	return err
}

// CheckIdentity returns a *Fault where REPLICA IDENTITY FULL, as the plan wants it,
// makes the server refuse the application's own UPDATEs and DELETEs. version is the
// server's.
func CheckIdentity(ctx context.Context, conn *pgx.Conn, plan Plan, version int) error {
	return (&installer{conn: conn.PgConn(), plan: plan}).mayBeFull(ctx, version)
}

// CheckPublication returns a *Fault unless the publication is there and has all that
// a stream of these tables is to bring.
func CheckPublication(ctx context.Context, conn *pgx.Conn, name string, tables []Table) error {
	return checkPublication(ctx, conn.PgConn(), name, tables)
}

// CheckSlot is the slot as it is now, without system and timeline. A slot that a
// stream cannot read is a *Fault, and one that is lost a *Gap, with the slot beside it.
func CheckSlot(ctx context.Context, conn *pgx.Conn, name string) (*Slot, error) {
	return inspectSlot(ctx, conn.PgConn(), name)
}

// IdentityStatement is the SQL that gives the table this REPLICA IDENTITY.
func IdentityStatement(t Table, identity string) string { return setIdentity(t, identity) }

// OtherSessions counts the sessions on the database of programs that are not known by
// their application_name. A role without privileges sees these too.
func OtherSessions(ctx context.Context, q Querier, known ...string) (sessions int, err error) {
	err = q.QueryRow(ctx, `SELECT count(*) FROM pg_catalog.pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL
		AND application_name <> ALL ($1::text[])`, known).Scan(&sessions)
	if err != nil {
		return 0, fmt.Errorf("look for other programs: %w", err)
	}
	return sessions, nil
}
