package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/internal/postgres"
)

// harmful says why hooktail cannot work with a setting that no session can override.
var harmful = map[string]string{
	"dynamic_library_path":      "The server must find its own pgoutput there, or it cannot stream.",
	"session_preload_libraries": "A session is refused if one of the libraries is missing.",
	"local_preload_libraries":   "A session is refused if one of the libraries is missing.",
	"temp_file_limit":           "A query that sorts more than fits into memory fails.",
}

// lookAtSettings reports relevant settings made by ALTER ROLE and ALTER DATABASE for
// hooktail's sessions.
// https://www.postgresql.org/docs/current/catalog-pg-db-role-setting.html
func lookAtSettings(ctx context.Context, x *examination) (found []Finding, _ error) {
	const whyRole = "Its privileges apply, not those of the login role, which still needs REPLICATION."
	if role := x.Replication.RuntimeParams[postgres.Role]; role != "" {
		found = one(Note, fmt.Sprintf("role = %s is set in HOOKTAIL_DATABASE_URL: hooktail's sessions act as that role", role),
			whyRole, "no action required; to undo it: remove the parameter role from HOOKTAIL_DATABASE_URL")
	}
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
		case harmful[name] != "":
			found = append(found, one(Warning, what, harmful[name], reset)...)
		case postgres.Sets(name):
			found = append(found, one(Note, what+": hooktail's sessions override it",
				"hooktail is not affected; other programs of the same role or database are.", "no action required; to undo it: "+reset)...)
		}
	})
	return found, err
}
