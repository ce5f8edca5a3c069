package cdc

import (
	"context"
	"fmt"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
)

// CheckReplication opens and closes a replication connection as a stream does, and
// returns the server's system identifier. An error that retrying does not fix is a
// *Fault.
func CheckReplication(ctx context.Context, config *pgconn.Config) (systemID string, err error) {
	s := New(Options{Config: config})
	r, err := s.connect(ctx)
	if err != nil {
		return "", s.refused(err)
	}
	defer r.close()
	system, err := pglogrepl.IdentifySystem(ctx, r.conn)
	if err != nil {
		return "", s.classify(fmt.Errorf("identify system: %w", err))
	}
	return system.SystemID, nil
}

// OtherSessions counts the sessions on the database whose application_name is not among
// known. A role without privileges sees them too.
func OtherSessions(ctx context.Context, q Querier, known ...string) (sessions int, err error) {
	err = q.QueryRow(ctx, `SELECT count(*) FROM pg_catalog.pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL
		AND application_name <> ALL ($1::text[])`, known).Scan(&sessions)
	if err != nil {
		return 0, fmt.Errorf("look for other programs: %w", err)
	}
	return sessions, nil
}
