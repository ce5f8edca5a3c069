package dispatch

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/mapping"
)

// TestHistoryOfAHook: each attempt can be found by its event, and the pulse counts it.
func TestHistoryOfAHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		b := newBench(t, Options{KeepBodies: true}, func(*http.Request) (*http.Response, error) {
			if calls++; calls == 1 {
				return answerText(500, "no room"), nil
			}
			return answerText(200, "thanks"), nil
		}, dispatchtest.HookRow(1, "http://x/"))
		for n := 1; n <= 3; n++ {
			b.enqueue(t, 1, n, 10+n)
			b.drain(t)
			time.Sleep(PulseStep) //nolint:forbidigo // the bubble's clock
		}
		all := b.History(Past{}, true)
		if len(all) != 4 || all[0].Task != 13 || all[3].Answer != "no room" || all[3].Outcome != "retried" {
			t.Fatalf("history %+v", all)
		}
		event, annotation := all[2].Event, all[0].Annotation
		if annotation == 0 {
			t.Error("the annotation is not known")
		}
		for _, tt := range []struct {
			name string
			past Past
			want int
		}{
			{"hook", Past{Hook: 1}, 4},
			{"another hook", Past{Hook: 2}, 0},
			{"task", Past{Task: 12}, 1},
			{"annotation", Past{Annotation: annotation, Task: 13}, 1},
			{"another annotation", Past{Annotation: annotation + 99}, 0},
			{"event", Past{Event: event}, 2},
			{"action", Past{Action: "ANNOTATION_UPDATED"}, 4},
			{"another action", Past{Action: "TASK_CREATED"}, 0},
			{"outcome", Past{Outcome: "delivered"}, 3},
			{"since", Past{Since: all[1].At}, 2},
			{"until", Past{Until: all[1].At}, 2},
			{"limit", Past{Limit: 3}, 3},
		} {
			if got := b.History(tt.past, false); len(got) != tt.want {
				t.Errorf("%s: %d attempts, want %d", tt.name, len(got), tt.want)
			} else if tt.want > 0 && got[0].Answer != "" {
				t.Errorf("%s: an answer is shown to everybody", tt.name)
			}
		}
		pulse := b.Pulses()[1]
		if delivered, failed := pulse.Sums(); delivered != 3 || failed != 1 {
			t.Errorf("%d delivered, %d failed", delivered, failed)
		}
		m, ok := b.Sent(1, all[0].Seq)
		if !ok || m.ID != all[0].Event.String() || m.Attempt != 2 || !strings.Contains(string(m.Body.Bytes()), "annotation") {
			t.Errorf("the request again: %+v %v", m, ok)
		}
		time.Sleep(time.Hour) //nolint:forbidigo // the bubble's clock
		pulse = b.Pulses()[1]
		if delivered, failed := pulse.Sums(); delivered != 0 || failed != 0 {
			t.Errorf("an hour later: %d delivered, %d failed", delivered, failed)
		}
		time.Sleep(historyFor) //nolint:forbidigo // the bubble's clock
		if rest := b.History(Past{}, true); len(rest) != 0 {
			t.Errorf("a day later: %+v", rest)
		}
	})
}

// TestHistoryIsBounded: a busy hook does not displace another one, nor its successes its
// failures, and all hooks together stay within the bound.
func TestHistoryIsBounded(t *testing.T) {
	var h chronicle
	at, body, none := time.Now(), mapping.BodyOf(make([]byte, keptBody)), mapping.Body{}
	small := mapping.BodyOf(make([]byte, 100))
	entry := func(hook int64, seq int, outcome string) *Entry {
		return &Entry{Hook: hook, Seq: uint64(seq), At: at, Outcome: outcome, Event: mapping.ID{Commit: cdc.LSN(seq)}}
	}
	h.add(entry(1, 1, "dead"), small, nil, true)
	for seq := 2; seq < 500; seq++ {
		h.add(entry(1, seq, "delivered"), small, nil, true)
	}
	if n := len(h.hooks[1].successes.kept); n != historyPerHook || h.find(1, 1) == nil || h.find(1, 499) == nil || h.find(1, 500-historyPerHook-1) != nil {
		t.Errorf("%d successes are kept, of the wrong attempts", n)
	}
	h.add(entry(2, 500, "delivered"), none, nil, false)
	for hook := int64(3); hook < 300; hook++ {
		for n := range 30 {
			h.add(entry(hook, 1000*int(hook)+n, "delivered"), body, nil, true)
			if h.bytes > historyBytes {
				t.Fatalf("%d bytes are held", h.bytes)
			}
		}
	}
	sum := 0
	for _, track := range h.hooks {
		sum += track.successes.bytes + track.failures.bytes
		for _, s := range []*shelf{&track.successes, &track.failures} {
			bytes := len(s.kept) * attemptBytes
			for k := range s.newest() {
				bytes += k.bytes()
			}
			if bytes != s.bytes {
				t.Errorf("a shelf of %d bytes says %d", bytes, s.bytes)
			}
		}
	}
	if sum != h.bytes {
		t.Errorf("%d bytes are held, %d are counted", sum, h.bytes)
	}
	if h.find(2, 500) == nil {
		t.Error("others drive out a hook of one small attempt")
	}
	for hook := range h.hooks {
		h.forget(hook)
	}
	if h.bytes != 0 {
		t.Errorf("%d bytes of nothing", h.bytes)
	}
}

func TestAnnotationOfABody(t *testing.T) {
	for body, want := range map[string]int64{
		`{"action": "ANNOTATION_CREATED", "annotation": {"id": 15, "result": []}}`:         15,
		`{"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 7}, {"id": 8}]}`:         7,
		`{"action": "TASK_CREATED", "tasks": [{"id": 3}]}`:                                 0,
		`{"action": "ANNOTATION_CREATED"}`:                                                 0,
		fmt.Sprintf(`{"action": "X", "a": %q, "annotation": {"id": 1}}`, make([]byte, 99)): 0,
	} {
		if got := annotationOf(mapping.BodyOf([]byte(body))); got != want {
			t.Errorf("%s: %d, want %d", body, got, want)
		}
	}
}
