package receiver

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

// bodyLimit bounds the size of a body, in bytes. An import of 5000 tasks is far below it.
const bodyLimit = 256 << 20

// Arrival is a request that a receiver got.
type Arrival struct {
	At      time.Time
	Sender  string // User-Agent up to the first blank
	ID      string // webhook-id; "" if the sender is not hooktail
	Body    []byte
	Payload Payload

	Committed bool          // the request states the time of the commit, as hooktail's do
	Latency   time.Duration // from the commit to At; valid if Committed
}

// Payload is the part of a body that a receiver uses.
type Payload struct {
	Action      string   `json:"action"`
	Annotation  *object  `json:"annotation"`
	Annotations []object `json:"annotations"`
	Task        *object  `json:"task"`
	Tasks       []object `json:"tasks"`
	Project     *object  `json:"project"`

	Data json.RawMessage `json:"data"` // the payload, within a CloudEvent
}

type object struct {
	ID int64 `json:"id"`
}

// Read reads the request. An error may be shown to the sender.
func Read(w http.ResponseWriter, req *http.Request) (Arrival, error) {
	sender, _, _ := strings.Cut(req.UserAgent(), " ")
	a := Arrival{At: time.Now(), Sender: sender, ID: req.Header.Get("webhook-id")}
	if commit, err := time.Parse(time.RFC3339Nano, req.Header.Get("hooktail-commit-time")); err == nil {
		a.Committed, a.Latency = true, a.At.Sub(commit)
	}
	var err error
	if a.Body, err = io.ReadAll(http.MaxBytesReader(w, req.Body, bodyLimit)); err != nil {
		return a, fmt.Errorf("read body: %w", err)
	}
	if err := json.Unmarshal(a.Body, &a.Payload); err != nil {
		return a, fmt.Errorf("read body: %w", err)
	}
	if event := a.Payload; event.Action == "" && event.Data != nil {
		a.Payload = Payload{}
		if err := json.Unmarshal(event.Data, &a.Payload); err != nil {
			return a, fmt.Errorf("read data: %w", err)
		}
	}
	if a.Payload.Action == "" {
		return a, errors.New("the body has no action")
	}
	return a, nil
}

// Since formats the time from the commit to the arrival; "?" if it is unknown.
func (a *Arrival) Since() string {
	if !a.Committed {
		return "?"
	}
	return display.Span(a.Latency)
}

// About names the objects of the body: "annotations 1, 2, project 3".
func (b Payload) About() string {
	var parts []string
	add := func(kind string, one *object, more []object) {
		var ids []string
		if one != nil {
			more = append([]object{*one}, more...)
		}
		for _, o := range more {
			ids = append(ids, strconv.FormatInt(o.ID, 10))
		}
		if len(ids) > 1 {
			kind += "s"
		}
		if len(ids) > 0 {
			parts = append(parts, kind+" "+strings.Join(ids, ", "))
		}
	}
	add("annotation", b.Annotation, b.Annotations)
	add("task", b.Task, b.Tasks)
	add("project", b.Project, nil)
	if len(parts) == 0 {
		return "(no payload)"
	}
	return strings.Join(parts, ", ")
}
