//go:build long

package promtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/mapping"
)

// journal makes the database note what is parked and what dies, by triggers that
// share nothing with the program.
const journal = `CREATE TABLE program (id int);
	CREATE TABLE journal (hook bigint, action text, what text, program bigint);
	CREATE FUNCTION journal() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$ BEGIN
		INSERT INTO journal SELECT NEW.hook_id, NEW.action, NEW.state, count(*) FROM program;
		RETURN NULL;
	END $$;
	CREATE TRIGGER stored AFTER INSERT ON hooktail.parked FOR EACH ROW EXECUTE FUNCTION journal();
	CREATE TRIGGER died AFTER UPDATE ON hooktail.parked FOR EACH ROW
		WHEN (NEW.state = 'dead' AND OLD.state = 'parked') EXECUTE FUNCTION journal();`

// TestMetricsMatchDeliveries: the numbers that operators see are those that the
// receivers saw, outcome by outcome, hook by hook and action by action: of what was
// delivered at once and later, retried, parked, drained after a restart, dead,
// redriven.
func TestMetricsMatchDeliveries(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	variables := []string{"HOOKTAIL_SETTLE=0", "HOOKTAIL_TIMEOUT=30s", "HOOKTAIL_GRACE=1m"}
	proctest.SetUp(t, s.db, variables...)
	s.db.Exec(t, journal)
	s.db.Exec(t, "INSERT INTO program VALUES (0)")

	first := proctest.Run(t, s.db, variables...)
	s.work(t, 2)
	made := s.settled(t, first, 0)
	if n := made[picky].sum("dead"); n != s.events() {
		t.Errorf("%d dead of the hook that takes nothing, want all %d", n, s.events())
	}
	if n := made[down].sum("parked"); n != s.events() {
		t.Errorf("%d parked of the hook that is down, want all %d", n, s.events())
	}
	s.receiver.Script(path(picky))
	redriven := proctest.Start(t, proctest.RoleEnviron(s.db), "deliveries", "redrive", "--hook", strconv.Itoa(picky))
	if code := redriven.Wait(t); code != 0 {
		t.Fatalf("redrive: %s%s", redriven.Stdout, redriven.Stderr)
	}
	s.awaitDelivered(t, picky, s.events())
	s.settled(t, first, 0)
	first.Stop()
	if code := first.Wait(t); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, first.Stderr)
	}

	s.db.Exec(t, "INSERT INTO program VALUES (0)")
	seen := len(s.receiver.Requests(""))
	s.receiver.Script(path(down))
	s.work(t, 2) // while no program runs
	second := proctest.Run(t, s.db, variables...)
	s.db.Exec(t, "UPDATE webhook SET updated_at = now()") // tried at once
	s.awaitDelivered(t, down, s.events())
	s.settled(t, second, seen)
}

// counts is what happened for one hook, by name of a metric's labels.
type counts map[string]int

// sum is over the actions.
func (c counts) sum(outcome string) int {
	n := 0
	for key, value := range c {
		if strings.HasSuffix(key, `outcome="`+outcome+`"`) {
			n += value
		}
	}
	return n
}

// settled waits until the metrics of the program say what receiver and database
// saw since it started, and returns that.
func (s *scene) settled(t *testing.T, p *proctest.Program, since int) (seen [hooks + 1]counts) {
	t.Helper()
	proctest.Confirmed(t, s.db)
	proctest.WaitFor(t, func() error {
		if s.db.QueryText(t, "SELECT count(*) FROM hooktail.parked WHERE state = 'parked' AND hook_id NOT IN ($1, $2)", down, moved) != "0" {
			return errors.New("hooks that work have something parked")
		}
		status, text := p.Get(t, "/metrics")
		if status != http.StatusOK {
			return fmt.Errorf("/metrics = %d %s", status, text)
		}
		var want map[string]int
		seen, want = s.seen(t, since)
		if diff := cmp.Diff(want, samples(t, text)); diff != "" {
			return fmt.Errorf("metrics (-receiver and database +/metrics):\n%s", diff)
		}
		return nil
	})
	return seen
}

// seen is what receiver and database saw, and the same as lines of /metrics.
func (s *scene) seen(t *testing.T, since int) (seen [hooks + 1]counts, lines map[string]int) {
	t.Helper()
	lines = make(map[string]int)
	delivery := func(hook int, action, outcome string) string {
		return fmt.Sprintf(`hooktail_deliveries_total{action=%q,hook="%d",outcome=%q}`, action, hook, outcome)
	}
	for hook := 1; hook <= hooks; hook++ {
		for _, action := range mapping.Guide.Actions() {
			for _, outcome := range []string{"delivered", "retried", "parked", "dead"} {
				lines[delivery(hook, string(action), outcome)] = 0
			}
		}
		for _, result := range []string{"2xx", "3xx", "4xx", "5xx", "timeout", "refused", "dns", "tls", "blocked", "reset"} {
			lines[fmt.Sprintf(`hooktail_delivery_attempts_total{hook="%d",result=%q}`, hook, result)] = 0
		}
		for _, state := range []string{"parked", "dead"} {
			n := s.db.QueryText(t, "SELECT count(*) FROM hooktail.parked WHERE hook_id = $1 AND state = $2", hook, state)
			lines[fmt.Sprintf(`hooktail_%s{hook="%d"}`, state, hook)] = number(t, n)
		}
	}
	journal := strings.Fields(s.db.QueryText(t, `SELECT string_agg(hook || ' ' || action || ' ' || what || ' ' || n, ' ')
		FROM (SELECT hook, action, what, count(*) AS n FROM journal WHERE program = (SELECT count(*) FROM program) GROUP BY 1, 2, 3) j`))
	for i := 0; i < len(journal); i += 4 {
		lines[delivery(number(t, journal[i]), journal[i+1], journal[i+2])] = number(t, journal[i+3])
	}
	for _, r := range s.receiver.Requests("")[since:] {
		hook := number(t, strings.TrimPrefix(r.Path, "/h/"))
		var body struct{ Action string }
		if err := json.Unmarshal(r.Body, &body); err != nil {
			t.Fatal(err)
		}
		lines[fmt.Sprintf(`hooktail_delivery_attempts_total{hook="%d",result="%dxx"}`, hook, r.Status/100)]++
		switch {
		case r.Status/100 == 2:
			lines[delivery(hook, body.Action, "delivered")]++
		case hook != picky || r.Attempt < 5: // which is the last that an event gets that is refused with 400
			lines[delivery(hook, body.Action, "retried")]++
		}
	}
	for line, n := range lines {
		for hook := 1; hook <= hooks; hook++ {
			if strings.Contains(line, fmt.Sprintf(`hook="%d"`, hook)) {
				if seen[hook] == nil {
					seen[hook] = make(counts)
				}
				seen[hook][strings.TrimSuffix(line, "}")] = n
			}
		}
	}
	return seen, lines
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// samples is the lines of /metrics that are compared.
func samples(t *testing.T, text string) map[string]int {
	t.Helper()
	out := make(map[string]int)
	for _, m := range regexp.MustCompile(`(?m)^(hooktail_(?:deliveries_total|delivery_attempts_total|parked|dead)\{.*\}) (\S+)$`).FindAllStringSubmatch(text, -1) {
		out[m[1]] = number(t, m[2])
	}
	return out
}
