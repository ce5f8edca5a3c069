package mapping

import (
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/hooktail/hooktail/cdc"
)

// film is the recorded WAL of all scenarios with the times of its commits, as if project
// and task_completion had REPLICA IDENTITY FULL.
type film struct {
	slot
	rows  map[string]map[string]cdc.Tuple // by table and id, as of the last transaction
	base  map[string][]map[string]string  // rows before the first scenario
	shots []shot
}

// shot is one transaction.
type shot struct {
	*cdc.Part
	scenario string
	single   bool               // the scenario is one call
	moved    map[int64]struct{} // tasks whose rows it changed
	counted  map[int64]struct{} // projects whose numbers it may have changed
	stamped  map[int64]int64    // tasks whose updated_at it moved → by whom
}

func load(t *testing.T) *film {
	t.Helper()
	f := &film{slot: slot{relations: map[uint32]*cdc.Relation{}}, rows: map[string]map[string]cdc.Tuple{}}
	f.readBase(t)
	folders, err := os.ReadDir(scenarios)
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		calls := recordedText(t, folder.Name(), "api.txt")
		f.add(t, folder.Name(), strings.Count(calls, "   (user ") == 1, recordedText(t, folder.Name(), "wal.pgoutput.hex"))
	}
	return f
}

func recordedText(t *testing.T, scenario, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(scenarios, scenario, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// readBase reads the rows of base.sql: COPY blocks.
func (f *film) readBase(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("../testdata/labelstudio/base.sql")
	if err != nil {
		t.Fatal(err)
	}
	f.base = map[string][]map[string]string{}
	table, columns := "", []string(nil)
	unescape := strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\r`, "\r")
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "COPY public."):
			name, rest, _ := strings.Cut(strings.TrimPrefix(line, "COPY public."), " (")
			list, _, _ := strings.Cut(rest, ")")
			table, columns = name, strings.Split(strings.ReplaceAll(list, `"`, ""), ", ")
		case line == `\.`:
			table = ""
		case table != "":
			row := map[string]string{}
			for i, value := range strings.Split(line, "\t") {
				if value != `\N` {
					row[columns[i]] = unescape.Replace(value)
				}
			}
			f.base[table] = append(f.base[table], row)
		}
	}
}

// state is the known rows of a table, those of the base at first.
func (f *film) state(rel *cdc.Relation) map[string]cdc.Tuple {
	if f.rows[rel.Name] == nil {
		f.rows[rel.Name] = map[string]cdc.Tuple{}
		for _, row := range f.base[rel.Name] {
			var values []cdc.Value
			for _, c := range rel.Columns {
				value, ok := row[c.Name]
				if !ok {
					values = append(values, cdc.Value{Kind: cdc.Null})
					continue
				}
				values = append(values, cdc.Value{Kind: cdc.Text, Text: []byte(value)})
			}
			f.rows[rel.Name][row["id"]] = cdc.MakeTuple(values...)
		}
	}
	return f.rows[rel.Name]
}

func (f *film) add(t *testing.T, scenario string, single bool, wal string) {
	t.Helper()
	var all []*cdc.Part
	var xids []uint32
	for line := range strings.Lines(wal) {
		data, err := hex.DecodeString(strings.Fields(line)[1])
		if err != nil {
			t.Fatal(err)
		}
		if m, err := pglogrepl.Parse(data); err == nil {
			if begin, ok := m.(*pglogrepl.BeginMessage); ok {
				xids = append(xids, begin.Xid)
			}
		}
		all = f.message(t, data, all)
	}
	for n, part := range all {
		part.XID = xids[n]
		s := shot{part, scenario, single, map[int64]struct{}{}, map[int64]struct{}{}, map[int64]int64{}}
		for i := range part.Changes {
			f.complete(&part.Changes[i], &s)
		}
		f.shots = append(f.shots, s)
	}
}

// complete gives a change its old row, and notes what it changed.
func (f *film) complete(c *cdc.Change, s *shot) {
	rel := c.Relation
	state := f.state(rel)
	row := c.New
	if c.Op == cdc.Delete {
		row = c.Old
	}
	id := string(row.Text(rel.Index("id")))
	old := state[id]
	if c.Op == cdc.Delete {
		delete(state, id)
	} else {
		row = merge(c.New, old, cdc.Tuple{})
		state[id] = row
	}
	whole := row
	if c.Op == cdc.Delete {
		whole = old
	}
	switch project := ref(whole, rel.Index("project_id")); rel.Name {
	case "task":
		labeled := rel.Index("is_labeled")
		if c.Op != cdc.Update || differs(old, row, labeled) {
			s.counted[project] = struct{}{}
		}
		if at := rel.Index("updated_at"); c.Op == cdc.Update && differs(old, row, at) {
			s.stamped[ref(row, rel.Index("id"))] = ref(row, rel.Index("updated_by_id"))
		}
		for i := range rel.Columns {
			if c.Op == cdc.Update && differs(old, row, i) {
				s.moved[ref(row, rel.Index("id"))] = struct{}{}
			}
		}
		return // its replica identity is the key
	case "task_completion":
		if c.Op != cdc.Update || differs(old, row, rel.Index("was_cancelled")) || differs(old, row, rel.Index("ground_truth")) {
			s.counted[project] = struct{}{}
		}
	case "project":
	default:
		return
	}
	if rel.Identity != fullKey {
		whole := *rel
		whole.Identity = fullKey
		f.relations[rel.ID] = &whole
		c.Relation = &whole
	}
	if c.Op != cdc.Insert && !isWhole(c.Old) {
		c.Old = old
	}
}

// isWhole reports whether an old row is more than the key: both tables have a column
// that is never null behind it.
func isWhole(old cdc.Tuple) bool { return old.Kind(2) == cdc.Text || old.Kind(4) == cdc.Text }

// scene is one event and how it left.
type scene struct {
	*Event
	how     ending
	tasks   []int64
	shot    int       // that made it
	last    int       // that had been seen when it left
	row     int64     // the annotation, if it is one
	updated time.Time // its updated_at
	left    time.Duration
}

// play runs the film at its own pace through a settler.
func (f *film) play(t *testing.T, o Options) []*scene {
	var all []*scene
	synctest.Test(t, func(t *testing.T) {
		m, s, began := NewMapper(o), NewSettler[*scene](o), time.Now()
		at, ended := -1, make(chan struct{})
		go func() {
			defer close(ended)
			for {
				left, err := s.Next(t.Context(), 100)
				if err != nil {
					return
				}
				for _, e := range left {
					e.last, e.left = at, time.Since(began)
				}
			}
		}()
		for i, shot := range f.shots {
			if pause := shot.Time.Sub(f.shots[0].Time) - time.Since(began); pause > 0 {
				<-time.After(pause)
			}
			synctest.Wait()
			at = i
			part := *shot.Part
			part.Received, part.Age = time.Now(), 0
			events, err := m.Events(&part, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				e := &scene{Event: e, how: e.ending, tasks: e.watched().tasks, shot: i, row: e.subject.id}
				if g := e.subject.group; g != nil && len(g.members) == 1 {
					e.row = g.members[0].id
				}
				e.updated = stampOf(e.subject.image.row, e.subject.relation.Index("updated_at"))
				all = append(all, e)
				s.Add(e.Event, e)
			}
			s.See(part.XID, m.Signs())
			synctest.Wait()
		}
		s.Close()
		<-ended
	})
	return all
}

// lasts is the last transaction of the event's call that changes what its payload shows.
func (f *film) lasts(e *scene) int {
	last := e.shot
	for i := e.shot + 1; i < len(f.shots) && f.shots[i].scenario == f.shots[e.shot].scenario; i++ {
		_, counted := f.shots[i].counted[e.Project]
		moved := slices.ContainsFunc(e.tasks, func(id int64) bool { _, ok := f.shots[i].moved[id]; return ok })
		if counted || moved {
			last = i
		}
	}
	return last
}

// silent is a scenario of which the application tells nobody.
const silent = "60-dm-experimental-actions"

// TestEventsLeaveWhenTheirActionHasEnded plays all recorded scenarios with their own pauses:
// no event leaves before the end of its call, and most by the end that the stream shows, not by the
// bound.
func TestEventsLeaveWhenTheirActionHasEnded(t *testing.T) {
	for _, profile := range []Profile{Guide, Native} {
		t.Run(string(profile), func(t *testing.T) {
			f := load(t)
			total, shown := map[string]int{}, map[string]int{}
			var late []time.Duration
			annotations, byEnd := 0, 0
			for _, e := range f.play(t, Options{Profile: profile, Settle: time.Second}) {
				kind := string(e.Action)
				total[kind]++
				waits := e.how != atOnce
				bounded := waits && e.EndedBy == 0
				if !bounded {
					shown[kind]++
				}
				if bounded {
					t.Logf("by the bound: %s %s of %d", f.shots[e.shot].scenario, e.Action, e.tasks)
				}
				if f.shots[e.shot].scenario != silent && e.Action.table() == annotation {
					annotations++
					if !bounded {
						byEnd++
					}
				}
				if !f.shots[e.shot].single {
					continue
				}
				last := f.lasts(e)
				if e.last < last {
					t.Errorf("%s: %s of %d left after transaction %d, %d is the last that it shows", f.shots[e.shot].scenario, e.Action, e.tasks, e.last, last)
				}
				if !bounded {
					late = append(late, e.left-f.shots[last].Time.Sub(f.shots[0].Time))
				}
			}
			for _, kind := range slices.Sorted(maps.Keys(total)) {
				t.Logf("%-20s %3d of %3d", kind, shown[kind], total[kind])
			}
			slices.Sort(late)
			median, p95 := late[len(late)/2], late[len(late)*95/100]
			t.Logf("annotation events by their end: %d of %d; after the last commit: median %v, p95 %v", byEnd, annotations, median, p95)
			if byEnd*10 < annotations*9 {
				t.Errorf("%d of %d annotation events left by the end of their action, want 9 in 10", byEnd, annotations)
			}
			if p95 > 0 {
				t.Errorf("5%% of those that showed their end left %v and more after it", p95)
			}
		})
	}
}
