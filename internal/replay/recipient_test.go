package replay

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
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

// open returns the store of a database whose hook 1 is active and has that URL.
func open(t *testing.T, url string) (config.Config, *wiring.Parked) {
	t.Helper()
	db := cdctest.Postgres(t).LabelStudio(t)
	if err := state.Migrate(t.Context(), db.Connect(t), "hooktail"); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "UPDATE webhook SET url = $1, is_active = true, send_for_all_actions = true, project_id = NULL WHERE id = 1", url)
	cfg, err := config.Load([]string{"HOOKTAIL_DATABASE_URL=" + db.DSN})
	if err != nil {
		t.Fatal(err)
	}
	parked, err := wiring.OpenForCommand(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(parked.Close)
	return cfg, parked
}

// TestReplayKeepsTheHooksRate: requests are on average as far apart as the hook's own rate asks, if it
// is lower than the command's, and a change of it holds from the next look at the hook on.
func TestReplayKeepsTheHooksRate(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer receiver.Close()
	cfg, parked := open(t, receiver.URL)
	r, err := newRecipient(parked, cfg, "test", 1, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer r.sender.Close()
	r.wants = func() error { return nil }
	for _, tt := range []struct {
		rate  string
		apart time.Duration // at least, on average
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
		const requests = 5
		begun := time.Now()
		for range requests {
			m := send.Message{ID: "backfill-task-1-0", LSN: "0/0", Origin: "backfill", Body: mapping.BodyOf([]byte("{}")), Action: mapping.TaskCreated}
			if err := r.send(t.Context(), "row 1", m); err != nil {
				t.Fatal(err)
			}
		}
		const rounding = time.Millisecond
		if took := time.Since(begun); took < (requests-1)*tt.apart-rounding {
			t.Errorf("rate %q: %d requests in %s", tt.rate, requests, took)
		}
	}
}

// noProgress ignores the progress.
type noProgress struct{}

func (noProgress) Step(int64, time.Time) {}
func (noProgress) End()                  {}

// TestPauseEndsABackfill: a hook that is paused or deactivated gets no more events of a
// backfill from the next second on, however slow it is.
func TestPauseEndsABackfill(t *testing.T) {
	for _, tt := range []struct {
		every time.Duration
		most  int // events
	}{{renewEvery * 2 / 3, 4}, {renewEvery * 3, 1}} {
		for _, end := range []string{"is paused", "is inactive"} {
			t.Run(tt.every.String()+" "+end, func(t *testing.T) {
				t.Parallel()
				arrived := make(chan struct{}, 100)
				receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{} }))
				defer receiver.Close()
				cfg, parked := open(t, receiver.URL)
				options := wiring.MappingOptions(cfg, parked.Log)
				rows, err := mapping.NewBackfill(parked.Pool, options, mapping.TaskCreated, mapping.BackfillRows{Project: 1})
				if err != nil {
					t.Fatal(err)
				}
				b, err := NewBackfill(t.Context(), BackfillOptions{
					Config: cfg, Version: "test", Parked: parked, Mapping: options, Rows: rows, Hook: 1, Project: 1,
					Every: tt.every, Progress: func(int64) Progress { return noProgress{} },
				})
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				ended := make(chan error, 1)
				go func() { ended <- b.Run(t.Context()) }()
				<-arrived
				if end == "is paused" {
					err = parked.Store.Pause(t.Context(), 1)
				} else {
					_, err = parked.Pool.Exec(t.Context(), "UPDATE public.webhook SET is_active = false WHERE id = 1")
				}
				if err != nil {
					t.Error(err)
				}
				err = <-ended
				if err == nil || !strings.Contains(err.Error(), end) || b.Events > tt.most {
					t.Errorf("%d events were sent: %v", b.Events, err)
				}
			})
		}
	}
}
