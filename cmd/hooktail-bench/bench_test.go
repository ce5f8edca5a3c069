package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgtype"
)

// TestReceiverCountsEachRowOnce: a row that arrives twice counts as repeated, an
// unexpected one as other.
func TestReceiverCountsEachRowOnce(t *testing.T) {
	t.Parallel()
	r, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	counted := r.expect(2, 7, 2)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, request := range []struct{ hook, id int }{{1, 7}, {2, 8}, {2, 8}, {1, 9}, {3, 7}, {2, 7}, {1, 8}} {
		body := []byte(`{"action": "ANNOTATION_CREATED", "annotation": {"id": ` + strconv.Itoa(request.id) + `, "x": "` + strings.Repeat("x", 1000) + `"}}`)
		post(t.Context(), client, r.url(request.hook), body)
	}
	select {
	case <-counted.done:
	case <-time.After(time.Minute):
		t.Fatal(counted)
	}
	if again, others := counted.again.Load(), counted.others.Load(); again != 1 || others != 2 {
		t.Errorf("%d came again and %d were not expected; want 1 and 2", again, others)
	}
	first, last := counted.span()
	if last.Before(first) || counted.arrived(0).Before(first) {
		t.Errorf("from %s to %s, the first row at %s", first, last, counted.arrived(0))
	}
}

func TestNullBodyIsJSON(t *testing.T) {
	t.Parallel()
	rel := &pglogrepl.RelationMessage{RelationName: "task"}
	row := &pglogrepl.TupleData{}
	for _, c := range []struct {
		name string
		oid  uint32
		text string
	}{
		{"id", pgtype.Int4OID, "12"},
		{"data", pgtype.JSONBOID, `{"text": "a \"b\""}`},
		{"is_labeled", pgtype.BoolOID, "t"},
		{"created_at", pgtype.TimestamptzOID, "2026-11-25 16:00:00+00"},
	} {
		rel.Columns = append(rel.Columns, &pglogrepl.RelationMessageColumn{Name: c.name, DataType: c.oid})
		row.Columns = append(row.Columns, &pglogrepl.TupleDataColumn{DataType: pglogrepl.TupleDataTypeText, Data: []byte(c.text)})
	}
	rel.Columns = append(rel.Columns, &pglogrepl.RelationMessageColumn{Name: "meta", DataType: pgtype.JSONBOID})
	row.Columns = append(row.Columns, &pglogrepl.TupleDataColumn{DataType: pglogrepl.TupleDataTypeNull})
	var body bytes.Buffer
	if err := json.Compact(&body, nullBody(rel, row)); err != nil {
		t.Fatal(err)
	}
	want := `{"action":"INSERT","task":{"id":12,"data":{"text":"a \"b\""},"is_labeled":true,"created_at":"2026-11-25 16:00:00+00","meta":null}}`
	if body.String() != want {
		t.Errorf("got  %s\nwant %s", &body, want)
	}
}

// TestTableJudgesTheMedianOfTheRatios: each repetition is compared with its neighbour, not
// one median with another.
func TestTableJudgesTheMedianOfTheRatios(t *testing.T) {
	t.Parallel()
	r, err := newResults("")
	if err != nil {
		t.Fatal(err)
	}
	for rep, rates := range [][2]float64{{10_000, 9000}, {20_000, 15_000}, {30_000, 30_000}} {
		for i, of := range []system{null, hooktail} {
			s := newSample("backlog", of, "", rep)
			s.set("rate", rates[i])
			s.set("peak_mib", 65)
			if err := r.add(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	var out bytes.Buffer
	if err := r.print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| backlog, events/s | 20.0 k (10.0 k–30.0 k) | 15.0 k (9.0 k–30.0 k) | 0.90 (0.75–1) | ≥ 0.80 | kept |\n",
		"| backlog, peak MiB |  | 65 |  | ≤ 64 | **missed** |\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %s\n%s", want, &out)
		}
	}
}

// TestTableIsPutBetweenTheMarks: the rest of the page is unchanged.
func TestTableIsPutBetweenTheMarks(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(name, page, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := newResults("")
	if err != nil {
		t.Fatal(err)
	}
	s := newSample("backlog", hooktail, "", 0)
	s.set("peak_mib", 40)
	if err := r.add(s); err != nil {
		t.Fatal(err)
	}
	if err := r.insert(name); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(page), tableBegins)
	_, after, _ := strings.Cut(string(page), tableEnds)
	if want := before + tableBegins + r.table() + tableEnds + after; string(got) != want {
		t.Errorf("the page is\n%s", got)
	}
	if err := os.WriteFile(name, []byte("# Performance\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.insert(name); err == nil {
		t.Error("a page without marks is no error")
	}
}

func TestScenariosAreChosenByName(t *testing.T) {
	t.Parallel()
	o, err := parseOptions([]string{"-scenarios", "trickle,burst", "-quick"}, io.Discard)
	if err != nil || len(o.scenarios) != 2 || o.scenarios[0].name != "burst" || !o.quick {
		t.Errorf("options %+v, error %v", o, err)
	}
	if err := execute(context.Background(), []string{"-scenarios", "sprint"}, io.Discard, io.Discard); err == nil {
		t.Error("a scenario that does not exist is no error")
	}
}

// TestEndedProcessIsNotPinned: a session of the server that ends while taskset looks at it is
// no fault, other than a process that cannot be pinned.
func TestEndedProcessIsNotPinned(t *testing.T) {
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "taskset"), []byte("#!/bin/sh\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	if err := affine(t.Context(), "0", strconv.Itoa(ended.Process.Pid)); err != nil {
		t.Error(err)
	}
	if err := affine(t.Context(), "0", strconv.Itoa(os.Getpid())); err == nil {
		t.Error("a process that cannot be pinned is no error")
	}
}

// TestFilmHasThePausesOfTheRecording: each recorded transaction in the stream is played,
// at its recorded pace.
func TestFilmHasThePausesOfTheRecording(t *testing.T) {
	t.Parallel()
	film, err := readFilm(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	within := map[string]time.Duration{}
	for _, take := range film {
		streamed := false
		for _, shot := range take.shots {
			if streamed {
				within[take.name] += shot.pause
			}
			streamed = streamed || shot.streamed
		}
	}
	for name, want := range map[string]time.Duration{"18-annotation-create": 34 * time.Millisecond, "14-import-100": 133 * time.Millisecond, "62-project-delete": 0} {
		if got := within[name].Round(time.Millisecond); got != want {
			t.Errorf("%s takes %s, want %s", name, got, want)
		}
	}
}

// TestReviewCountsACallOnce: an import of many tasks is one figure; events that waited for
// the bound are not counted.
func TestReviewCountsACallOnce(t *testing.T) {
	t.Parallel()
	began := time.Now()
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	header := func(ms int) string { return at(ms).UTC().Format(time.RFC3339Nano) }
	scenes := []scene{{began: began, last: at(40)}, {began: at(100), last: at(100)}}
	if err := assign(scenes, []came{
		{at: at(44), commit: header(1), annotation: true},
		{at: at(1001), commit: header(2), annotation: true},
		{at: at(110), commit: header(101)},
		{at: at(120), commit: header(101)},
		{at: at(190), commit: header(101)},
	}); err != nil {
		t.Fatal(err)
	}
	first, second := scenes[0].review(), scenes[1].review()
	if len(first.late) != 1 || first.late[0] != 4*time.Millisecond || first.annotations != 2 || first.shown != 1 {
		t.Errorf("the annotation: %+v, want 4 ms, one of two shown", first)
	}
	if len(second.late) != 1 || second.late[0] != 19*time.Millisecond || second.annotations != 0 {
		t.Errorf("the import: %+v, want its median of 19 ms", second)
	}
}
