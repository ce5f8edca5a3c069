package replay

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/wiring"
	"github.com/hooktail/hooktail/mapping"
)

func TestMain(m *testing.M) { os.Exit(cdctest.Main(m)) }

// TestReplayKeepsTheHooksRate: requests are as far apart as the hook's own rate asks, if it
// is lower than the command's, and a change of it holds from the next look at the hook on.
func TestReplayKeepsTheHooksRate(t *testing.T) {
	arrived := make(chan time.Time, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- time.Now() }))
	defer receiver.Close()
	db := cdctest.Postgres(t).LabelStudio(t)
	if err := state.Migrate(t.Context(), db.Connect(t), "hooktail"); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "UPDATE webhook SET url = $1, is_active = true WHERE id = 1", receiver.URL)
	cfg, err := config.Load([]string{"HOOKTAIL_DATABASE_URL=" + db.DSN})
	if err != nil {
		t.Fatal(err)
	}
	parked, err := wiring.OpenForCommand(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer parked.Close()
	r, err := newRecipient(parked, cfg, "test", 1, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer r.sender.Close()
	for _, tt := range []struct {
		rate  string
		apart time.Duration // at least, from the second request on
	}{{"10/s", 100 * time.Millisecond}, {"20/s", 50 * time.Millisecond}, {"1000000/s", 0}, {"", 0}} {
		err := parked.Store.Choose(t.Context(), 1, func(c *state.Choice) error {
			c.Rate = tt.rate
			return nil
		})
		if err == nil {
			err = r.renew(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		var before time.Time
		for n := range 5 {
			m := send.Message{ID: "backfill-task-1-0", LSN: "0/0", Origin: "backfill", Body: mapping.BodyOf([]byte("{}")), Action: mapping.TaskCreated}
			if err := r.send(t.Context(), "row 1", m); err != nil {
				t.Fatal(err)
			}
			const late = 20 * time.Millisecond // of the request before
			at := <-arrived
			if n > 1 && at.Sub(before) < tt.apart-late {
				t.Errorf("rate %q: %s after the request before", tt.rate, at.Sub(before))
			}
			before = at
		}
	}
}
