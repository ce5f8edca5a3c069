package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestTheHooktailOfAnotherDatabase: on a machine with several hooktails, the one at
// HOOKTAIL_HTTP_ADDR may serve another database, whose hooks have the same ids. No command says
// anything of it as if it were of its own database.
func TestTheHooktailOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	tenHooks(t, db)
	setUpOnce(t, db)
	here := db.QueryText(t, "SELECT system_identifier FROM pg_control_system()")
	slot := db.QueryText(t, "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()")
	for name, stream := range map[string]string{
		"another server": fmt.Sprintf(`{"slot": %q, "connected": true, "system_id": "1"}`, slot),
		"another slot":   fmt.Sprintf(`{"slot": "theirs", "connected": true, "system_id": %q}`, here),
	} {
		t.Run(name, func(t *testing.T) {
			other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"running": true, "ready": true, "role": "leader", "stream": %s, "hooks": [
					{"id": 1, "state": "failing", "url": "http://other.example.com/", "about": "theirs", "last_error": {"status": 302, "redirect": "http://other.example.com/"}}]}`, stream)
			}))
			defer other.Close()
			environ := proctest.RoleEnviron(db, "HOOKTAIL_DELIVER=adopted", "HOOKTAIL_HTTP_ADDR="+other.Listener.Addr().String())
			for _, line := range []string{"status", "status --json", "hooks list", "hooks list --json", "hooks show 1", "doctor"} {
				_, out, note := command(environ, strings.Fields(line)...)
				if strings.Contains(out, "other.example.com") || strings.Contains(out, "theirs") {
					t.Errorf("%s shows the other's hooks:\n%s%s", line, out, note)
				}
				if (line == "status" || line == "hooks list") && !strings.Contains(note, "reads "+name) {
					t.Errorf("%s does not say who answered: %s", line, note)
				}
			}
			if code, out, note := command(environ, "hooks", "adopt", "1"); code != exitFailed || !strings.Contains(note, "hooktail is not reading the slot") {
				t.Errorf("adopt believed the other hooktail: exit code %d, %s%s", code, out, note)
			}
		})
	}
}
