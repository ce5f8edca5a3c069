package faults

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// eachRoute runs the test on the routes from the slot to the hooks: straight and, with the tag
// long, through a log.
func eachRoute(t *testing.T, test func(t *testing.T, route proctest.Route)) {
	t.Helper()
	eachOf(t, routes(), test)
}

// eachFewRoute is eachRoute for a test that takes minutes.
func eachFewRoute(t *testing.T, test func(t *testing.T, route proctest.Route)) {
	t.Helper()
	eachOf(t, proctest.FewRoutes(), test)
}

func eachOf(t *testing.T, routes []proctest.Route, test func(t *testing.T, route proctest.Route)) {
	t.Helper()
	for _, route := range routes {
		t.Run(route.Name, func(t *testing.T) {
			t.Parallel()
			test(t, route)
		})
	}
}

// prepareOn is prepare, on that route.
func prepareOn(t testing.TB, route proctest.Route, db *cdctest.Database, hooks ...string) *scene {
	t.Helper()
	s := prepare(t, db, hooks...)
	s.log = route.Log(t)
	return s
}

// run sets up, runs the programs of the scene's route, and waits until they are ready.
func (s *scene) run(t testing.TB, variables ...string) programs {
	t.Helper()
	return s.log.Run(t, s.db, variables...)
}

// programs are those of a route, one that does all or a sender and a reader.
type programs []*proctest.Program

func (ps programs) sender() *proctest.Program { return ps[0] }
func (ps programs) reader() *proctest.Program { return ps[len(ps)-1] }

// peak is the most memory that any of them has had so far, in bytes.
func (ps programs) peak(t testing.TB) (most int) {
	t.Helper()
	for _, p := range ps {
		most = max(most, peak(t, p))
	}
	return most
}

func (ps programs) signal(s os.Signal) {
	for _, p := range ps {
		p.Signal(s)
	}
}

// end waits until all have ended by themselves.
func (ps programs) end(t testing.TB) {
	t.Helper()
	for _, p := range ps {
		if code := p.Wait(t); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, p.Stderr)
		}
	}
}

func (ps programs) stillRun(t testing.TB) {
	t.Helper()
	for _, p := range ps {
		stillRuns(t, p)
	}
}

// inLog is what is or was in the log, by hook, but for payloads that are too large for it.
func (s *scene) inLog(t testing.TB) map[int][]delivered {
	t.Helper()
	if s.log == nil {
		return nil
	}
	for _, m := range s.log.Messages(t, s.db.Name) {
		var body struct {
			Project    struct{ ID int }
			Task       struct{ ID int }
			Annotation struct {
				N int `json:"result_count"`
			}
		}
		if len(m.Data) == 0 {
			continue
		}
		if err := json.Unmarshal([]byte("{"+string(m.Data)+"}"), &body); err != nil {
			t.Fatalf("message %s of the log: %v", m.ID, err)
		}
		for _, hook := range m.Hooks {
			s.logged[hook] = append(s.logged[hook], delivered{id: m.ID, project: body.Project.ID, task: body.Task.ID, n: body.Annotation.N})
		}
	}
	return s.logged
}

// straightOnly is the tests that do not go through a log, with the reason.
var straightOnly = map[string]string{
	"TestKillMinus9LosesNothing":           "TestKillsAroundTheLogLoseNothing kills readers, senders and servers of the log",
	"TestFiftyKillsLoseNothing":            "as TestKillMinus9LosesNothing",
	"TestTwoInstances":                     "two instances around a log both send; a sender that goes is tested by TestSendersShareThePartitions",
	"TestTwoInstancesTakeTurns":            "as TestTwoInstances",
	"TestLeaderLosesItsLock":               "tells the leader by who sends; a frozen reader and a frozen sender have tests of their own",
	"TestLeaderWithFullLanesLosesItsLock":  "a reader has no lanes",
	"TestFrozenLeader":                     "a frozen reader and a frozen sender have tests of their own",
	"TestLossyFailover":                    "holds the answers so that the slot stays where it is, which a log does not wait for",
	"TestCrashOfPostgresRepeatsNothingOld": "with a log the slot is held back on purpose, and the log shows what it has",
	"TestFullDiskWhileParking":             "says that the slot waits for the store, which it does not if there is a log",
	"TestWithDatabaseClockThatJumps":       "is about the times of attempts and parked deliveries, which a log does not change",
	"TestWithOwnClockThatJumps":            "as TestWithDatabaseClockThatJumps",
	"TestSlowHookHoldsNoRows":              "what waits in a log is encoded, without rows",
	"TestSlowHookHoldsProjects":            "what waits in a log is encoded, each event with its project",
}

// TestFaultsGoThroughTheLog: each test of this package runs on each route, is about the log
// itself, or is in the list of those that do not.
func TestFaultsGoThroughTheLog(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	for name := range straightOnly {
		left[name] = true
	}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, rest := range strings.Split("\n"+string(text), "\nfunc Test")[1:] {
			name := "Test" + rest[:strings.Index(rest, "(")]
			body, _, _ := strings.Cut(rest, "\n}\n")
			isOn := strings.Contains(body, "Route(t, func(") || strings.HasPrefix(file.Name(), "log_") || name == t.Name() || name == "TestMain"
			if isOn == left[name] {
				t.Errorf("%s (%s) runs on each route: %t; in straightOnly: %t", name, file.Name(), isOn, left[name])
			}
			delete(left, name)
		}
	}
	for name := range left {
		t.Errorf("straightOnly has %s, which is no test", name)
	}
}
