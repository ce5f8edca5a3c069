//go:build long

package proctest_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/deploy"
)

// TestRoleScript: whoever may make the role makes it, more than once, and whoever may not
// is told what is missing, and has changed nothing. What only warns somewhere fails here.
func TestRoleScript(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		who     string // attributes of the role that runs it
		owner   bool   // of the database's tables
		before  string // SQL of a superuser
		version string // of the server; "": any
		want    string // in the error; "": none
	}{
		{name: "superuser", who: "SUPERUSER"},
		{name: "owner who may make it", who: "CREATEROLE REPLICATION", owner: true, version: "18"},
		{name: "owner, and it is there", owner: true, before: "CREATE ROLE hooktail LOGIN REPLICATION"},
		{name: "owner who may not make it", owner: true, want: "cannot create a role with REPLICATION"},
		{name: "owner who may not make it, with CREATEROLE", who: "CREATEROLE", owner: true, want: "cannot create a role with REPLICATION"},
		{name: "owner, and it does not replicate", owner: true, before: "CREATE ROLE hooktail LOGIN", want: "lacks REPLICATION"},
		{name: "owner where RDS has its own word", owner: true, before: "CREATE ROLE rds_superuser; CREATE ROLE hooktail LOGIN"},
		{name: "neither", before: "CREATE ROLE hooktail LOGIN REPLICATION", want: "permission denied"},
		{
			name: "who may read, where a grant only warns", want: "lacks SELECT on project",
			before: "CREATE ROLE hooktail LOGIN REPLICATION; GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO PUBLIC; REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM PUBLIC; GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO somebody; GRANT ALL ON ALL TABLES IN SCHEMA hooktail TO somebody WITH GRANT OPTION; GRANT ALL ON SCHEMA hooktail, public TO somebody WITH GRANT OPTION",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := cdctest.Private(t, throwaway.Options{Major: tt.version}).LabelStudio(t)
			db.Exec(t, "CREATE SCHEMA hooktail CREATE TABLE parked (id integer)")
			db.Exec(t, "CREATE ROLE somebody LOGIN "+tt.who)
			if tt.owner {
				db.Exec(t, `DO $$ DECLARE t regclass; BEGIN
					FOR t IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace IN ('public'::regnamespace, 'hooktail'::regnamespace) LOOP
						EXECUTE format('ALTER TABLE %s OWNER TO somebody', t);
					END LOOP; END $$`)
				db.Exec(t, "ALTER SCHEMA hooktail OWNER TO somebody")
				db.Exec(t, "ALTER SCHEMA public OWNER TO somebody")
			}
			db.Exec(t, tt.before)
			conn, err := pgx.Connect(t.Context(), strings.Replace(db.DSN, "postgres@", "somebody@", 1))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(t.Context())
			for range 2 {
				_, err = conn.Exec(t.Context(), deploy.Role())
				if tt.want != "" {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			may := db.QueryText(t, `SELECT string_agg(has_table_privilege(rolname, 'public.task', 'SELECT')::text, '') FROM pg_roles WHERE rolname = 'hooktail'`)
			switch {
			case tt.want == "" && may != "true":
				t.Errorf("the role may read tasks: %q", may)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want %q", err, tt.want)
			case tt.want != "" && may == "true":
				t.Errorf("something was granted all the same")
			}
		})
	}
}
