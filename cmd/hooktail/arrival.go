package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hooktail/hooktail/internal/display"
)

// arrivalLimit bounds what a receiver here reads of a body: an import of 5000
// tasks is far below it.
const arrivalLimit = 256 << 20

// arrival is one request as a receiver sees it.
type arrival struct {
	at     time.Time
	sender string // its User-Agent up to the first blank
	id     string // webhook-id; "" from others than hooktail
	body   []byte
	parsed arrivalBody

	committed bool          // whether the request says when the change was committed, as hooktail's do
	latency   time.Duration // from then on
}

// arrivalBody is what is read of a body.
type arrivalBody struct {
	Action      string      `json:"action"`
	Annotation  *arrivalID  `json:"annotation"`
	Annotations []arrivalID `json:"annotations"`
	Task        *arrivalID  `json:"task"`
	Tasks       []arrivalID `json:"tasks"`
	Project     *arrivalID  `json:"project"`
}

type arrivalID struct {
	ID int64 `json:"id"`
}

// readArrival reads the request. The error is for who sent it.
func readArrival(w http.ResponseWriter, req *http.Request) (arrival, error) {
	sender, _, _ := strings.Cut(req.UserAgent(), " ")
	a := arrival{at: time.Now(), sender: sender, id: req.Header.Get("webhook-id")}
	if commit, err := time.Parse(time.RFC3339Nano, req.Header.Get("hooktail-commit-time")); err == nil {
		a.committed, a.latency = true, a.at.Sub(commit)
	}
	var err error
	if a.body, err = io.ReadAll(http.MaxBytesReader(w, req.Body, arrivalLimit)); err != nil {
		return a, fmt.Errorf("read body: %w", err)
	}
	if err := json.Unmarshal(a.body, &a.parsed); err != nil {
		return a, fmt.Errorf("read body: %w", err)
	}
	if a.parsed.Action == "" {
		return a, errors.New("the body has no action")
	}
	return a, nil
}

// since is the time from the commit to the arrival.
func (a *arrival) since() string {
	if !a.committed {
		return "?"
	}
	return display.Span(a.latency)
}

// about says what the body is about, in a few words: annotations 1, 2, project 3.
func (b arrivalBody) about() string {
	var parts []string
	add := func(kind string, ids ...arrivalID) {
		texts := make([]string, len(ids))
		for i, id := range ids {
			texts[i] = strconv.FormatInt(id.ID, 10)
		}
		switch len(ids) {
		case 0:
			return
		case 1:
		default:
			kind += "s"
		}
		parts = append(parts, kind+" "+strings.Join(texts, ", "))
	}
	one := func(id *arrivalID) []arrivalID {
		if id == nil {
			return nil
		}
		return []arrivalID{*id}
	}
	add("annotation", append(one(b.Annotation), b.Annotations...)...)
	add("task", append(one(b.Task), b.Tasks...)...)
	add("project", one(b.Project)...)
	if len(parts) == 0 {
		return "(no payload)"
	}
	return strings.Join(parts, ", ")
}
