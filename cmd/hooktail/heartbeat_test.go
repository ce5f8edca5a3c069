package main

import (
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/relay"
)

// TestHeartbeatThatIsNotWrittenIsLogged: what keeps heartbeats from being written is not only a
// reason of /readyz, which is gone when somebody asks. The log has it too, and its end.
func TestHeartbeatThatIsNotWrittenIsLogged(t *testing.T) {
	t.Parallel()
	const function = "SELECT oid::regprocedure FROM pg_proc WHERE proname = 'pg_logical_emit_message' AND proargtypes[2] = 'text'::regtype"
	for _, tt := range []struct{ name, breaks, mends, error string }{
		{
			"not permitted",
			"DO $$ BEGIN EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || (" + function + ") || ' FROM PUBLIC'; END $$",
			"DO $$ BEGIN EXECUTE 'GRANT EXECUTE ON FUNCTION ' || (" + function + ") || ' TO PUBLIC'; END $$",
			"permission denied for function pg_logical_emit_message",
		},
		{
			"no connection",
			`DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database());
				PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'hooktail' AND datname = current_database()
				AND backend_type = 'client backend' AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory'); END $$`,
			"DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO PUBLIC', current_database()); END $$",
			"permission denied for database",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).LabelStudio(t)
			receive(t, db)
			setUpOnce(t, db)
			p := startTuned(t, relay.Tuning{BeatEvery: 50 * time.Millisecond}, []string{"run"}, proctest.RoleEnviron(db))
			db.Exec(t, tt.breaks)
			p.err.Find(t, `level=ERROR msg="Cannot write the heartbeat; trying again" error=".*`+tt.error, p.ended)
			p.unready(t, tt.error)
			db.Exec(t, tt.mends)
			p.err.Find(t, `level=INFO msg="The heartbeat can be written again"`, p.ended)
			p.whenReadyAgain(t)
		})
	}
}
