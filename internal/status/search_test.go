package status

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// TestSearch: each way to search is understood, and what is not is said.
func TestSearch(t *testing.T) {
	s, h := newStage(Options{Token: token})
	at := time.Date(2026, 11, 28, 21, 30, 0, 0, time.UTC)
	event, err := state.ParseID("1-16B374D848-3")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		query string
		want  Search
		code  int
	}{
		{"", Search{Filter: state.Filter{Limit: 100}}, 200},
		{"?hook=3&action=TASK_CREATED&outcome=retried&limit=500", Search{Filter: state.Filter{Hook: 3, Action: mapping.TaskCreated, Limit: 500}, Outcome: "retried"}, 200},
		{"?hook=-5", Search{Filter: state.Filter{Hook: -5, Limit: 100}}, 200},
		{"?hook=0", Search{}, 400},
		{"?task=5&annotation=7", Search{Filter: state.Filter{Task: 5, Annotation: 7, Limit: 100}}, 200},
		{"?event=1-16B374D848-3", Search{Filter: state.Filter{Event: event, Limit: 100}}, 200},
		{"?since=2026-11-28T21:30:00Z&until=2026-11-28T22:30:00%2B01:00", Search{Filter: state.Filter{Since: at, Until: at, Limit: 100}}, 200},
		{"?outcome=lost", Search{}, 400},
		{"?task=-5", Search{}, 400},
		{"?annotation=x", Search{}, 400},
		{"?event=x", Search{}, 400},
		{"?event=repair-0-0", Search{}, 400},
		{"?since=yesterday", Search{}, 400},
		{"?limit=501", Search{}, 400},
	} {
		s.search = Search{}
		w := call(h, http.MethodGet, "/status/history"+tt.query, "")
		got := s.search
		got.Until, got.Since = got.Until.UTC(), got.Since.UTC()
		if w.Code != tt.code || got != tt.want {
			t.Errorf("%s: %d, %+v", tt.query, w.Code, got)
		}
	}
	for query, code := range map[string]int{
		"?hook=3&action=TASK_CREATED&since=2026-11-28T21:30:00Z": 200, "": 400, "?hook=3&outcome=dead": 400, "?hook=3&annotation=7": 400,
	} {
		s.search = Search{}
		w := call(h, http.MethodGet, "/status/log"+query, "")
		if w.Code != code || code == 200 && (!strings.Contains(w.Body.String(), `"position":48211`) || s.search.Action != mapping.TaskCreated || !s.search.Since.Equal(at)) {
			t.Errorf("/status/log%s: %d %s, %+v", query, w.Code, w.Body, s.search)
		}
	}
	if w := call(h, http.MethodGet, "/status/series", ""); !strings.Contains(w.Body.String(), `"times":[1]`) {
		t.Errorf("series: %d %s", w.Code, w.Body)
	}
	for err, want := range map[error]int{ErrStandby: 409, ErrNoPast: 404, &Problem{Why: "NATS is away"}: 503, errors.New("password in here"): 503} {
		s.err = err
		for _, target := range []string{"/status/history", "/status/log?hook=1", "/status/series", "/status/deliveries"} {
			if w := call(h, http.MethodGet, target, ""); w.Code != want || strings.Contains(w.Body.String(), "password") {
				t.Errorf("%s, %v: %d %s", target, err, w.Code, w.Body)
			}
		}
	}
}

// TestNoLeaderSaysWhy: an instance that is not the leader names one only if it is a standby.
// While there may be none, it says what it waits for.
func TestNoLeaderSaysWhy(t *testing.T) {
	s, h := newStage(Options{Token: token})
	s.err = ErrStandby
	for reason, want := range map[string]int{"": 409, "waiting for the database: connection refused": 503} {
		s.reason = reason
		for target, body := range map[string]string{
			"/status/history": "", "/status/log?hook=1": "", "/status/series": "", "/status/deliveries": "", "/act": `{"do": "pause", "hook": 1}`,
		} {
			method := http.MethodGet
			if body != "" {
				method = http.MethodPost
			}
			w := call(h, method, target, body, "Authorization", "Bearer "+token)
			if w.Code != want || !strings.Contains(w.Body.String(), reason) || strings.Contains(w.Body.String(), "ask the leader") != (reason == "") {
				t.Errorf("%s, reason %q: %d %s", target, reason, w.Code, w.Body)
			}
		}
	}
}
