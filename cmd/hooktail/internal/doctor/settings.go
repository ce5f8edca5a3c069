package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/postgres"
)

// harmful explains why hooktail cannot work with a setting that no session can override;
// "" for other settings.
func harmful(name string) (why string) {
	switch name {
	case "dynamic_library_path":
		return "The server must find its own pgoutput there, or it cannot stream."
	case "session_preload_libraries", "local_preload_libraries":
		return "A session is refused if one of the libraries is missing."
	case "temp_file_limit":
		return "A query that sorts more than fits into memory fails."
	}
	return ""
}

// roleOf reports the role requested in the connection string.
func roleOf(options *pgconn.Config) []Finding {
	role := options.RuntimeParams[postgres.Role]
	if role == "" {
		return nil
	}
	return one(Note, fmt.Sprintf("role = %s is set in HOOKTAIL_DATABASE_URL: hooktail's sessions act as that role", role),
		whyRole, "no action required; to undo it: remove the parameter role from HOOKTAIL_DATABASE_URL")
}

const whyRole = "Its privileges apply, not those of the login role, which still needs REPLICATION."

// lookAtSettings reports relevant settings made by ALTER ROLE and ALTER DATABASE for
// hooktail's sessions.
// https://www.postgresql.org/docs/current/catalog-pg-db-role-setting.html
func lookAtSettings(ctx context.Context, x *examination) ([]Finding, error) {
	found := roleOf(x.Replication)
	var setting, of string
	err := x.each(ctx, `SELECT setting, CASE
				WHEN s.setrole = 0 THEN format('DATABASE %I', current_database())
				WHEN s.setdatabase = 0 THEN format('ROLE %I', session_user)
				ELSE format('ROLE %I IN DATABASE %I', session_user, current_database()) END
		FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) setting
		WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
		AND s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user)) ORDER BY s.setrole, s.setdatabase, setting`, nil, []any{&setting, &of}, func() {
		name, value, _ := strings.Cut(setting, "=")
		kind, named, _ := strings.Cut(of, " ")
		what := fmt.Sprintf("%s = %s is set for %s %s", name, value, strings.ToLower(kind), strings.Replace(named, " IN DATABASE ", " in database ", 1))
		reset := fmt.Sprintf("ALTER %s RESET %s;", of, pgx.Identifier{name}.Sanitize())
		switch {
		case name == "role":
			found = append(found, one(Note, what+": hooktail's sessions act as that role",
				whyRole, "no action required; to undo it: "+reset)...)
		case harmful(name) != "":
			found = append(found, one(Warning, what, harmful(name), reset)...)
		case postgres.Sets(name):
			found = append(found, one(Note, what+": hooktail's sessions override it",
				"hooktail is not affected; other programs of the same role or database are.", "no action required; to undo it: "+reset)...)
		}
	})
	return found, err
}
