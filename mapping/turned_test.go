package mapping

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc"
)

// labeling are small tables whose tasks say whether they are labeled, and show the old row.
func labeling() schema {
	s := stamped()
	s["task"].Columns = append(slices.Clone(s["task"].Columns), cdc.Column{Name: "is_labeled"})
	s["task"].Identity = fullKey
	return s
}

// taskRow is a task of project 1.
func taskRow(id int, updatedAt string, by int, labeled string) values {
	return values{id, 1, "{}", updatedAt, by, labeled}
}

func wantAll(Action) bool { return true }

// TestTaskTurns: a task whose is_labeled is another one after the transaction than before
// makes one event, for those who want it; other updates make none.
func TestTaskTurns(t *testing.T) {
	t.Parallel()
	full := labeling()
	key := labeling()
	key["task"].Identity = idKey
	open, done := taskRow(5, t1, 1, "f"), taskRow(5, t1, 1, "t")
	saved := annotationRow(7, 5, 1, t1, false)
	for _, tt := range []struct {
		name    string
		wanted  func(Action) bool
		changes func(schema) []cdc.Change
		want    []string
	}{
		{"completed", wantAll, func(s schema) []cdc.Change { return []cdc.Change{s.update("task", open, done)} }, []string{"0 TASK_COMPLETED [5] project 1 task 5"}},
		{"reopened", wantAll, func(s schema) []cdc.Change { return []cdc.Change{s.update("task", done, open)} }, []string{"0 TASK_REOPENED [5] project 1 task 5"}},
		{"nobody wants it", func(a Action) bool { return a == TaskReopened }, func(s schema) []cdc.Change { return []cdc.Change{s.update("task", open, done)} }, nil},
		{"nobody is asked", nil, func(s schema) []cdc.Change { return []cdc.Change{s.update("task", open, done)} }, nil},
		{"no change of it", wantAll, func(s schema) []cdc.Change {
			return []cdc.Change{s.update("task", done, done.with(3, t2)), s.update("task", open.with(0, 6), open.with(0, 6))}
		}, nil},
		{"there and back", wantAll, func(s schema) []cdc.Change {
			return []cdc.Change{s.update("task", open, done), s.update("task", done, open)}
		}, nil},
		{"at the last", wantAll, func(s schema) []cdc.Change {
			return []cdc.Change{s.update("task", open, done), s.update("task", done, open), s.update("task", open, done), s.update("task", done, done.with(3, t2))}
		}, []string{"2 TASK_COMPLETED [5] project 1 task 5"}},
		{"with its annotation", wantAll, func(s schema) []cdc.Change {
			return []cdc.Change{s.insert("task_completion", saved...), s.update("task", open, done)}
		}, []string{"0 ANNOTATION_CREATED [7] project 1 task 5", "1 TASK_COMPLETED [5] project 1 task 5"}},
		{"created", wantAll, func(s schema) []cdc.Change {
			return []cdc.Change{s.insert("task", open...), s.update("task", open, done)}
		}, []string{"0 TASK_CREATED [5] project 1 task 5"}},
		{"made anew", wantAll, func(s schema) []cdc.Change {
			return []cdc.Change{s.remove("task", open...), s.insert("task", open...), s.update("task", open, done)}
		}, []string{"2 TASK_COMPLETED [5] project 1 task 5"}},
		{"deleted", wantAll, func(s schema) []cdc.Change {
			return []cdc.Change{s.update("task", done, open), s.remove("task", open...)}
		}, nil},
		{"with its project", wantAll, func(s schema) []cdc.Change {
			return []cdc.Change{s.update("task", done, open), s.remove("project", projectRow(1, t1, nil)...)}
		}, []string{"3 PROJECT_DELETED [1] project 1 task 0"}},
	} {
		m := NewMapper(Options{Wanted: tt.wanted})
		events, err := m.Events(parts(1, tt.changes(full))[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, tellAll(events), cmp.Transformer("nil", func(s []string) string { return fmt.Sprint(s) })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	m := NewMapper(Options{Wanted: wantAll})
	if events, err := m.Events(parts(1, []cdc.Change{key.update("task", open, done)})[0], nil); err != nil || len(events) > 0 {
		t.Errorf("without the old row: %q, %v", tellAll(events), err)
	}
}

// TestTurnsSettle: TASK_COMPLETED leaves with the event of the annotation that completed the
// task, by the same evidence, whether anybody wants that event or not, and by the bound
// where there is none. As in TestEndings: T is the counters update that completes task 5,
// and leaves after the transaction that is marked by |.
func TestTurnsSettle(t *testing.T) {
	t.Parallel()
	s := labeling()
	const pause = 10 * time.Millisecond
	a := annotationRow(7, 5, 1, t1, false)
	counted := "2026-11-23 11:00:00+00"
	for _, tt := range []struct{ name, stream string }{
		{"made", "iTS|"},
		{"made, nobody wants that", "pTS|"},
		{"made, the stamp first", "iST|"},
		{"made, the end never comes", "iT"},
		{"made, as ground truth", "gTS"},
		{"changed", "uTSS|"},
		{"changed, a skip is taken back: the task turns before the event", "BTSuCSS|"},
		{"by nothing that is known", "T"},
		{"by nothing that is known, with stamps", "TSS"},
		{"two users", "ijTSO|"},
		{"one user twice", "ihTSCS"},
		{"deleted", "dCST|"},
		{"deleted, nobody wants that", "DCST|"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := Options{Settle: time.Second, Wanted: wantAll}
				m, settler, began := NewMapper(o), NewSettler[string](o), time.Now()
				var order []string
				at := map[string]time.Duration{}
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					for {
						items, err := settler.Next(t.Context(), 10)
						if err != nil {
							return
						}
						for _, item := range items {
							order = append(order, item)
							at[item] = time.Since(began)
						}
					}
				}()
				want, now := time.Duration(-1), time.Duration(0)
				for n, step := range tt.stream {
					var changes []cdc.Change
					update := func(updated string, by int, labeled string) []cdc.Change {
						return []cdc.Change{s.update("task", taskRow(5, t1, 1, "f"), taskRow(5, updated, by, labeled))}
					}
					switch step {
					case '|':
						want = now
						continue
					case 'i', 'p':
						changes = []cdc.Change{s.insert("task_completion", a...)}
					case 'h':
						changes = []cdc.Change{s.insert("task_completion", a.with(0, 8)...)}
					case 'j':
						changes = []cdc.Change{s.insert("task_completion", a.with(0, 9).with(5, 2)...)}
					case 'g':
						changes = []cdc.Change{s.insert("task_completion", append(slices.Clone(a), "t")...)}
					case 'u':
						changes = []cdc.Change{s.update("task_completion", a.with(3, "2026-11-23 11:17:00+00"), a)}
					case 'B':
						changes = []cdc.Change{s.update("task_completion", a.with(5, 2), a)}
					case 'd', 'D':
						changes = []cdc.Change{s.remove("task_completion", a...)}
					case 'T':
						changes = update(counted, 1, "t")
						want = time.Since(began) + time.Second
					case 'C':
						changes = update(counted, 1, "f")
					case 'S':
						changes = update(t2, 1, "f")
					case 'O':
						changes = update(t2, 2, "f")
					}
					part := parts(cdc.LSN(n+1), changes)[0]
					part.XID = uint32(n + 1)
					events, err := m.Events(part, nil)
					if err != nil {
						t.Fatal(err)
					}
					for _, e := range events {
						if strings.ContainsRune("pD", step) {
							settler.Pass(e)
						} else {
							settler.Add(e, string(step))
						}
					}
					settler.See(part.XID, m.Signs())
					synctest.Wait()
					now = time.Since(began)
					<-time.After(pause)
				}
				settler.Close()
				<-ended
				if got := at["T"]; got != want {
					t.Errorf("left after %v, want %v", got, want)
				}
				for _, before := range "ijhgd" {
					if i := slices.Index(order, string(before)); i > slices.Index(order, "T") {
						t.Errorf("the order is %q", order)
					}
				}
			})
		})
	}
}
