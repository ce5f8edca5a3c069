package cdc

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/postgres"
)

// CheckSynchronous returns a *Fault if the server counts this program's streams among its
// synchronous standbys. Commits of the application would then wait until their events are
// delivered, and these until the commit can be seen; or a commit would be acknowledged that
// no standby has. It asks on any connection.
// https://www.postgresql.org/docs/current/runtime-config-replication.html#GUC-SYNCHRONOUS-STANDBY-NAMES
func CheckSynchronous(ctx context.Context, conn *pgconn.PgConn) error {
	r, err := row(ctx, conn, "SELECT current_setting('synchronous_standby_names')")
	if err != nil {
		return fmt.Errorf("read synchronous_standby_names: %w", err)
	}
	if !isSynchronous(r[0]) {
		return nil
	}
	return &Fault{
		Reason: Synchronous, What: fmt.Sprintf("synchronous_standby_names is %s: commits would wait for hooktail", r[0]),
		Mend: "name the standbys alone: ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (…)'; SELECT pg_reload_conf();",
	}
}

// standbyName matches one name, a keyword or a number in synchronous_standby_names.
var standbyName = regexp.MustCompile(`"(?:[^"]|"")*"|[^\s,()]+`)

// isSynchronous reports whether the value names this program, or every standby.
func isSynchronous(names string) bool {
	for _, name := range standbyName.FindAllString(names, -1) {
		if name = strings.Trim(name, `"`); name == "*" || strings.EqualFold(name, postgres.ApplicationName) {
			return true
		}
	}
	return false
}
