package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Profile is a set of rules.
type Profile string

// The profiles that can be derived.
const (
	Guide  Profile = "guide"
	Native Profile = "native"
)

// Derivation configures what is derived.
type Derivation struct {
	Profile Profile
	Schema  string // text of schema.sql, for the types of the columns
	Base    string // text of base.sql, for the rows before the first scenario
	Secrets bool   // bodies contain project.token and project.task_data_password
	Shown   Moment // when bodies show the task and the project

	// Generated states that the WAL that hooktail reads contains generated columns, as
	// since PostgreSQL 18.
	Generated bool
}

// Moment is when bodies are made. It does not affect annotations, which are shown as of
// their commit.
type Moment int

// Moments.
const (
	AfterCall        Moment = iota // after the end of the user's action
	AfterTransaction               // immediately
	AtEnd                          // after all scenarios
)

// Derived is a request that a hook must get, with the data that determine its order.
type Derived struct {
	Request
	Scenario    string
	project     int64
	tasks       []int64
	transaction int // number among all transactions
}

// Derive returns the requests that the hooks must get in each scenario, by name, in the
// order of the commits. The scenarios must be complete and in order, since later ones
// build on rows of earlier ones.
func (d Derivation) Derive(scenarios []Scenario) (map[string][]Derived, error) {
	db, err := newDatabase(d.Schema, d.Base)
	if err != nil {
		return nil, err
	}
	db.generated = d.Generated
	all := map[string][]Derived{}
	var waiting []due
	transactions := 0
	show := func(moment Moment) {
		if d.Shown == moment {
			for _, derived := range d.render(db, waiting) {
				all[derived.Scenario] = append(all[derived.Scenario], derived)
			}
			waiting = nil
		}
	}
	for _, s := range scenarios {
		txs, err := ParseWAL(s.WAL)
		if err != nil {
			return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
		}
		calls, err := byCall(s.Name, txs, changesAt)
		if err != nil {
			return nil, err
		}
		for _, call := range calls {
			for _, changes := range call {
				transactions++
				for _, ev := range profiles[d.Profile].events(transaction{db: db, effects: db.apply(changes)}) {
					waiting = append(waiting, db.dues(ev, s.Name, transactions)...)
				}
				show(AfterTransaction)
			}
			show(AfterCall)
		}
	}
	show(AtEnd)
	return all, nil
}

// changesAt reports whether the transaction makes the change with which a call begins.
func changesAt(tx []RowChange, m mark) bool {
	return slices.ContainsFunc(tx, func(c RowChange) bool { return strings.HasPrefix(m.verb, c.Op) && c.Table == m.table })
}

// due is a request whose body has not been made yet.
type due struct {
	derived Derived
	event   event
	payload bool
}

// render makes the bodies from the present database.
func (d Derivation) render(db *database, dues []due) []Derived {
	rendered := map[int64]json.RawMessage{} // the projects: counting is slow
	project := func(id int64) json.RawMessage {
		if rendered[id] == nil {
			rendered[id] = projectBody(db, id, d.Secrets)
		}
		return rendered[id]
	}
	var all []Derived
	for _, due := range dues {
		r := due.derived
		r.Body = encode(object{"action": encode(r.Action)})
		if due.payload {
			r.Body = due.event.body(db, r.Action, d.Secrets, project)
		}
		all = append(all, r)
	}
	return all
}

// dues returns a request for each active hook that wants the event, as of its commit, by id.
func (db *database) dues(ev event, scenario string, transaction int) []due {
	var all []due
	for _, hook := range db.sorted(hooks) {
		project := hook.id("project_id")
		switch {
		case !hook.is("is_active"), hook.id("organization_id") != ev.organization:
			continue
		case project != 0 && (ev.organizationOnly || project != ev.project):
			continue
		}
		action, wanted := db.wanted(hook, ev.action)
		if !wanted {
			continue
		}
		request := Request{Hook: hook.id("id"), Action: action, Headers: ownHeaders(hook["headers"].Text)}
		all = append(all, due{
			derived: Derived{Request: request, Scenario: scenario, project: ev.project, tasks: ev.tasks, transaction: transaction},
			event:   ev,
			payload: hook.is("send_payload"),
		})
	}
	return all
}

// wanted reports whether the hook wants the action, and the hook's spelling.
func (db *database) wanted(hook Row, action string) (spelled string, wanted bool) {
	if hook.is("send_for_all_actions") {
		return action, true
	}
	spellings := []string{action}
	if action == "TASK_CREATED" { // two names of one action
		spellings = append(spellings, "TASKS_CREATED")
	}
	for _, spelling := range spellings {
		for _, row := range db.rows[hookActions] {
			if row.id("webhook_id") == hook.id("id") && row["action"].Text == spelling {
				return spelling, true
			}
		}
	}
	return "", false
}

// ownHeaders returns the hook's headers and the content type, with lower-case names.
func ownHeaders(headers string) map[string]string {
	own := map[string]string{}
	all := map[string]string{"content-type": "application/json"}
	if json.Unmarshal([]byte(headers), &own) == nil {
		for name, value := range own {
			all[strings.ToLower(name)] = value
		}
	}
	return all
}
