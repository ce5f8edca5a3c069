package hook

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hooktail/hooktail/mapping"
)

// rows holds the rows of the three tables as of one moment.
type rows struct {
	deliver    Deliver
	hooks      map[int64]*Hook
	chosen     map[string]choice             // by id of webhook_action, as text
	choices    map[int64]map[string]struct{} // ids of webhook_action, by hook
	settings   map[int64]setting             // by hook; only non-empty ones
	unreadable map[rowKey]Unreadable
	noted      bool // unreadable has changed since it was shown
}

// choice is a row of webhook_action.
type choice struct {
	hook   int64
	action mapping.Action
}

// setting is the part of a hook_setting row that concerns deliveries.
type setting struct {
	adopted bool
	secret  uint64  // fingerprint of the encrypted signing secrets; 0: none
	choice  *Choice // nil: none; the pointer only changes with the choice
}

func newRows(deliver Deliver) rows {
	return rows{
		deliver:    deliver,
		hooks:      make(map[int64]*Hook),
		chosen:     make(map[string]choice),
		choices:    make(map[int64]map[string]struct{}),
		settings:   make(map[int64]setting),
		unreadable: make(map[rowKey]Unreadable),
	}
}

// finished returns the hook completed from its rows in the other tables.
func (s *rows) finished(hook *Hook) *Hook {
	hook.Actions = s.actionsOf(hook.ID)
	setting := s.settings[hook.ID]
	hook.Adopted, hook.secret, hook.Choice = setting.adopted, setting.secret, setting.choice
	hook.served = s.deliver.serves(hook)
	hook.judge()
	return hook
}

// actionsOf returns the hook's chosen actions, in alphabetical order.
func (s *rows) actionsOf(hook int64) []mapping.Action {
	var actions []mapping.Action
	for id := range s.choices[hook] {
		actions = append(actions, s.chosen[id].action)
	}
	slices.Sort(actions)
	return actions
}

// hookID returns the id of a row of webhook. If the id is not valid for a hook, ok is
// false and the row is noted as unreadable.
func (s *rows) hookID(row Row) (id int64, ok bool, err error) {
	key, err := keyText(row, "id")
	if err != nil {
		return 0, false, err
	}
	r := reader{row: row}
	r.scope("id", &id, required)
	return id, s.note(Webhook, key, r.fault), nil
}

// note records that the row cannot be read; fault "" records that it can, and the result
// is true.
func (s *rows) note(table Table, key, fault string) bool {
	at := keyIn(table, key)
	before, noted := s.unreadable[at]
	if fault == "" {
		if noted {
			delete(s.unreadable, at)
			s.noted = true
		}
		return true
	}
	now := Unreadable{Table: table, Key: at.key, Fault: fault}
	if now != before {
		s.unreadable[at], s.noted = now, true
	}
	return false
}

// forgive drops the unreadable rows of a table.
func (s *rows) forgive(table Table) {
	for key := range s.unreadable {
		if key.table == table {
			delete(s.unreadable, key)
			s.noted = true
		}
	}
}

// choose records a row of webhook_action, whether or not its hook is known, and returns
// the hooks whose actions may have changed.
func (s *rows) choose(row Row) ([]int64, error) {
	id, err := keyText(row, "id")
	if err != nil {
		return nil, err
	}
	before, known := s.chosen[id]
	c := before
	r := reader{row: row, known: known}
	r.integer("webhook_id", &c.hook, required)
	r.parse("action", required, func(text string) { c.action = mapping.Action(text) })
	if r.missing != "" {
		return nil, &MissingColumnError{r.missing}
	}
	changed := s.unchoose(id)
	if !s.note(WebhookAction, id, r.fault) {
		return changed, nil
	}
	s.add(id, c)
	if !slices.Contains(changed, c.hook) {
		changed = append(changed, c.hook)
	}
	return changed, nil
}

// add records a row of webhook_action, whatever hook it belonged to before.
func (s *rows) add(id string, c choice) {
	s.unchoose(id)
	s.chosen[id] = c
	if s.choices[c.hook] == nil {
		s.choices[c.hook] = make(map[string]struct{})
	}
	s.choices[c.hook][id] = struct{}{}
}

// unchoose removes a row of webhook_action and returns its hook, if it had one.
func (s *rows) unchoose(id string) []int64 {
	c, known := s.chosen[id]
	if !known {
		return nil
	}
	delete(s.chosen, id)
	delete(s.choices[c.hook], id)
	if len(s.choices[c.hook]) == 0 {
		delete(s.choices, c.hook)
	}
	return []int64{c.hook}
}

// resolve records a row of hook_setting, whether or not its hook is known, and returns
// the hook and the previous setting. ok is false if the row is unreadable.
func (s *rows) resolve(row Row) (hook int64, before setting, ok bool, err error) {
	key, err := keyText(row, "hook_id")
	if err != nil {
		return 0, setting{}, false, err
	}
	r := reader{row: row}
	r.integer("hook_id", &hook, required)
	before = s.settings[hook]
	now := before
	r.known = before != setting{}
	r.boolean("adopted", &now.adopted)
	r.parse("secrets", optional, func(text string) {
		if now.secret = 0; text != "" && text != "{}" { // an empty array
			now.secret = fingerprint([]byte(text))
		}
	})
	now.choice = r.choice(before.choice)
	if r.missing != "" {
		return 0, setting{}, false, &MissingColumnError{r.missing}
	}
	if !s.note(HookSetting, key, r.fault) {
		return 0, setting{}, false, nil
	}
	s.assign(hook, now)
	return hook, before, true, nil
}

func (s *rows) assign(hook int64, now setting) {
	if s.settings[hook] = now; now == (setting{}) {
		delete(s.settings, hook)
	}
}

func fingerprint(text []byte) uint64 {
	sum := fnv.New64a()
	sum.Write(text)
	return sum.Sum64()
}

// Unreadable is a row that belongs to no hook, since it cannot be read, for example
// because of an unknown type of its id. It does not affect any hook.
type Unreadable struct {
	Table Table
	Key   string // key of the row as text; truncated if long
	Fault string // what to correct
}

type rowKey struct {
	table Table
	key   string
}

// maxKey is the maximum length of a stored key, in bytes.
const maxKey = 100

func keyIn(table Table, key string) rowKey {
	if len(key) > maxKey {
		key = key[:maxKey]
		for len(key) > 0 && !utf8.ValidString(key) && len(key) > maxKey-utf8.UTFMax {
			key = key[:len(key)-1]
		}
		key += "…"
	}
	return rowKey{table, strings.ToValidUTF8(key, "�")}
}

func compareRows(a, b Unreadable) int {
	return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Key, b.Key))
}
