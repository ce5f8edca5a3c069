package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/postgres"
)

// harmful are settings that no session can choose for itself, and that hooktail cannot
// work with, with the reason.
func harmful(name string) (why string) {
	switch name {
	case "dynamic_library_path":
		return "The server has to find its own pgoutput there, or nothing can be streamed."
	case "session_preload_libraries", "local_preload_libraries":
		return "A session is refused where one of the libraries is missing."
	case "temp_file_limit":
		return "A query that sorts more than fits in memory fails."
	}
	return ""
}

// roleOf names the role that the connection string asks for.
func roleOf(options *pgconn.Config) []Finding {
	role := options.RuntimeParams[postgres.Role]
	if role == "" {
		return nil
	}
	return one(Note, fmt.Sprintf("role = %s is set in HOOKTAIL_DATABASE_URL: hooktail's sessions act as that role", role),
		whyRole, "nothing has to be done; to take it back: take the parameter role out of HOOKTAIL_DATABASE_URL")
}

const whyRole = "Its privileges count, not those of the role that logs in, which needs REPLICATION all the same."

// lookAtSettings names what ALTER ROLE and ALTER DATABASE have set for sessions such as
// hooktail's, as far as it matters to them or would.
// https://www.postgresql.org/docs/current/catalog-pg-db-role-setting.html
func lookAtSettings(ctx context.Context, x *examination) ([]Finding, error) {
	rows, err := x.conn.Query(ctx, `SELECT setting, CASE
				WHEN s.setrole = 0 THEN format('DATABASE %I', current_database())
				WHEN s.setdatabase = 0 THEN format('ROLE %I', session_user)
				ELSE format('ROLE %I IN DATABASE %I', session_user, current_database()) END
		FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) setting
		WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
		AND s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user)) ORDER BY s.setrole, s.setdatabase, setting`)
	if err != nil {
		return nil, err
	}
	found := roleOf(x.Replication)
	var setting, of string
	_, err = pgx.ForEachRow(rows, []any{&setting, &of}, func() error {
		name, value, _ := strings.Cut(setting, "=")
		kind, named, _ := strings.Cut(of, " ")
		what := fmt.Sprintf("%s = %s is set for %s %s", name, value, strings.ToLower(kind), strings.Replace(named, " IN DATABASE ", " in database ", 1))
		reset := fmt.Sprintf("ALTER %s RESET %s;", of, pgx.Identifier{name}.Sanitize())
		switch {
		case name == "role":
			found = append(found, one(Note, what+": hooktail's sessions act as that role",
				whyRole, "nothing has to be done; to take it back: "+reset)...)
		case harmful(name) != "":
			found = append(found, one(Warning, what, harmful(name), reset)...)
		case postgres.Sets(name):
			found = append(found, one(Note, what+": hooktail's sessions set their own",
				"hooktail is not affected; other programs of the same role or database are.", "nothing has to be done; to take it back: "+reset)...)
		}
		return nil
	})
	return found, err
}
