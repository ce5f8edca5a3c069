package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestThroughTheLog: with a log between them, one instance that reads and sends, and a reader
// and a sender apart, deliver what a program without a log does, hooks that change included.
func TestThroughTheLog(t *testing.T) {
	t.Parallel()
	t.Run("both", func(t *testing.T) {
		t.Parallel()
		testThroughTheLog(t, func(t *testing.T, db *cdctest.Database, variables ...string) { start(t, db, variables...) })
	})
	t.Run("reader and sender", func(t *testing.T) {
		t.Parallel()
		testThroughTheLog(t, func(t *testing.T, db *cdctest.Database, variables ...string) {
			start(t, db, append(variables, "HOOKTAIL_ROLE=sender")...)
			startAs(t, db, []string{"run"}, append(variables, "HOOKTAIL_ROLE=reader")...)
		})
	})
}

// newHook makes hook 77, which is like hook 1.
const newHook = `INSERT INTO webhook (id, url, organization_id, project_id, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at)
	SELECT 77, replace(url, '/h/1', '/h/77'), 1, 1, true, true, '{}', true, now(), now() FROM webhook WHERE id = 1`

func testThroughTheLog(t *testing.T, begin func(*testing.T, *cdctest.Database, ...string)) {
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	begin(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_NATS_URL="+natstest.Start(t, nil).URL())
	want := map[string]bool{}
	for range 50 {
		want[db.QueryText(t, annotate, 7)] = true
	}
	got, ofNew := map[string]bool{}, []string{}
	look := func() {
		for _, r := range c.Take() {
			switch {
			case r.Hook == 1 && r.Action == "ANNOTATION_CREATED" && idOf(t, r.Body, "task") == "7":
				got[idOf(t, r.Body, "annotation")] = true
			case r.Hook == 1 && idOf(t, r.Body, "task") == "9":
				t.Error("the hook that was switched off got what came afterwards")
			case r.Hook == 77:
				ofNew = append(ofNew, idOf(t, r.Body, "task"))
			}
		}
		slices.Sort(ofNew)
	}
	proctest.WaitFor(t, func() error {
		look()
		return differ("annotations at hook 1", want, got)
	})
	db.Exec(t, newHook)
	db.Exec(t, annotate, 8)
	db.Exec(t, "UPDATE webhook SET is_active = false WHERE id = 1")
	db.Exec(t, annotate, 9)
	proctest.WaitFor(t, func() error {
		look()
		return differ("tasks at the new hook", []string{"8", "9"}, ofNew)
	})
	delivered(t, db)
}

// TestSenderHearsOfEveryChange: hooks change in each way, while a reader runs, while none does, and
// right before its end. A sender that has run all the time delivers each next event by them.
func TestSenderHearsOfEveryChange(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	variables := []string{"HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_NATS_URL=" + natstest.Start(t, nil).URL()}
	start(t, db, append(variables, "HOOKTAIL_ROLE=sender")...)
	read := func() *program { return startAs(t, db, []string{"run"}, append(variables, "HOOKTAIL_ROLE=reader")...) }
	stop := func(reader *program) {
		t.Helper()
		if code := reader.end(t); code != 0 {
			t.Fatalf("the reader ends with exit code %d", code)
		}
	}
	reader := read()
	arrives := func(hook int64, what string) {
		t.Helper()
		annotation := db.QueryText(t, annotate, 8)
		proctest.WaitFor(t, func() error {
			for _, r := range c.Requests() {
				if r.Hook == hook && idOf(t, r.Body, "annotation") == annotation {
					return nil
				}
			}
			return fmt.Errorf("%s: the event has not come to %d", what, hook)
		})
	}
	arrives(1, "before all")
	for i, when := range []string{"while a reader runs", "while none runs", "right before a reader ends"} {
		id := int64(100 + 10*i)
		for _, change := range []struct {
			what, before, sql string
			at                int64 // where its events arrive then
		}{
			{"made", "SELECT", strings.NewReplacer("77,", fmt.Sprint(id, ","), "/77", fmt.Sprint("/", id)).Replace(newHook), id},
			{"moved", "SELECT", fmt.Sprintf("UPDATE webhook SET url = replace(url, '/%d', '/%d') WHERE id = %d", id, id+1, id), id + 1},
			{"switched on", fmt.Sprintf("UPDATE webhook SET is_active = false WHERE id = %d", id), fmt.Sprintf("UPDATE webhook SET is_active = true WHERE id = %d", id), id + 1},
		} {
			db.Exec(t, change.before)
			arrives(1, "beside it") // so that the sender knows it as it was
			switch i {
			case 0:
				db.Exec(t, change.sql)
			case 1:
				stop(reader)
				db.Exec(t, change.sql)
				reader = read()
			case 2:
				db.Exec(t, change.sql)
				stop(reader)
				reader = read()
			}
			arrives(change.at, change.what+" "+when)
		}
	}
}

// TestDatabaseOfABackup: the database was restored from a backup, and the bookmarks have the epochs of
// a thousand later shares. A sender begins all the same, without as many attempts.
func TestDatabaseOfABackup(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	variables := []string{"HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_NATS_URL=" + natstest.Start(t, nil).URL()}
	setUpOnce(t, db, variables...)
	for i, epoch := range []int{0, 1000, 1} {
		db.Exec(t, "UPDATE hooktail.log_partition SET epoch = $1", epoch)
		p := start(t, db, variables...)
		db.Exec(t, annotate, 7)
		r.Wait(t, path(1), i+1)
		if code := p.end(t); code != 0 {
			t.Fatalf("exit code %d", code)
		}
	}
}

// differ is an error with what is not as wanted.
func differ(what string, want, got any) error {
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("%s (-want +got):\n%s", what, diff)
	}
	return nil
}

// TestSendersShareThePartitions: a sender that joins gets its share, and the rest when the other
// one leaves; nothing is lost or repeated.
func TestSendersShareThePartitions(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	variables := []string{"HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_NATS_URL=" + natstest.Start(t, nil).URL()}
	first := start(t, db, variables...)
	second := startAs(t, db, []string{"run"}, append(variables, "HOOKTAIL_ROLE=sender")...)
	share := func(p *program, partitions int) {
		t.Helper()
		proctest.WaitFor(t, func() error {
			if all := regexp.MustCompile(`msg="hooktail sends".* partitions=(\d+)`).FindAllStringSubmatch(p.err.String(), -1); len(all) == 0 || all[len(all)-1][1] != strconv.Itoa(partitions) {
				return fmt.Errorf("the sender has not %d partitions: %v", partitions, all)
			}
			return nil
		})
	}
	share(first, 32)
	share(second, 32)
	shares := func() int { return strings.Count(first.err.String()+second.err.String(), "hooktail sends") }
	begun := shares()
	for range 20 {
		db.Exec(t, annotate, 7)
	}
	<-time.After(3 * time.Second) // several looks at the senders
	if n := shares(); n != begun {
		t.Errorf("%d shares were begun, and none had changed", n-begun)
	}
	if code := second.end(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for range 20 {
		db.Exec(t, annotate, 8)
	}
	share(first, 64)
	proctest.WaitFor(t, func() error {
		for hook := 1; hook <= 10; hook++ {
			if n := len(r.Requests(path(hook))); n < 40 {
				return fmt.Errorf("hook %d has %d of 40", hook, n)
			}
		}
		return nil
	})
	for hook := 1; hook <= 10; hook++ {
		if n := len(r.Requests(path(hook))); n != 40 {
			t.Errorf("hook %d has got %d requests for 40 events", hook, n)
		}
	}
}
