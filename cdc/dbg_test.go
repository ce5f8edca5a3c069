package cdc
import ("testing";"log/slog";"os";"github.com/hooktail/hooktail/cdc/cdctest")
func TestDbg(t *testing.T) {
	db := cdctest.Postgres(t).Database(t)
	db.Exec(t, "CREATE TABLE a (id integer PRIMARY KEY, v text)")
	plan := planOf(db, "a")
	db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", plan.Slot)
	db.Exec(t, "INSERT INTO a VALUES (1, '')")
	db.Exec(t, createPublication(plan))
	db.Exec(t, "INSERT INTO a VALUES (2, '')")
	o := optionsOf(t, db, plan)
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	s := start(t, o)
	for i:=0;i<3;i++ { ps, err := s.Next(t.Context()); t.Log(shown(ps), err); if err != nil {break}; for _,p := range ps {finish(p)} ; if i==0 {db.Exec(t, "INSERT INTO a VALUES (3, '')")}}
}
