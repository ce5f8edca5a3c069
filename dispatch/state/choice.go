package state

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktail/hooktail/mapping"
)

// Choice is what people chose for a hook beyond what its row in the application says: the
// columns of hook_setting as they are written, which nothing here checks.
type Choice struct {
	Added   []mapping.Action `json:"events_added,omitempty"`   // that the hook gets as well
	Removed []mapping.Action `json:"events_removed,omitempty"` // that it does not get
	Filter  string           `json:"filter,omitempty"`         // CEL over the body; "": none
	Rate    string           `json:"rate,omitempty"`           // "10/s"; "": no bound
	Format  string           `json:"format,omitempty"`         // of the requests; "": Label Studio's own
}

// Events are the events as people write their changes: +A,-B.
func (c Choice) Events() string {
	var changes []string
	for _, action := range c.Added {
		changes = append(changes, "+"+string(action))
	}
	for _, action := range c.Removed {
		changes = append(changes, "-"+string(action))
	}
	return strings.Join(changes, ",")
}

// Equal reports whether both are the same, in the same order.
func (c Choice) Equal(o Choice) bool {
	return slices.Equal(c.Added, o.Added) && slices.Equal(c.Removed, o.Removed) && c.Filter == o.Filter && c.Rate == o.Rate && c.Format == o.Format
}

// Choose changes what was chosen for the hook. It takes effect at its place among the
// events, on those committed later. Nothing changes if edit returns an error. Edit may be
// called again if somebody has locked the row.
func (s *Store) Choose(ctx context.Context, hook int64, edit func(*Choice) error) error {
	return wrap(s.patient(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.sql(`INSERT INTO {hook_setting} (hook_id) VALUES ($1) ON CONFLICT DO NOTHING`), hook); err != nil {
			return err
		}
		var before Choice
		var added, removed pgtype.FlatArray[*string] // of any dimensions, as anybody may have written it
		err := tx.QueryRow(ctx, s.sql(`SELECT events_added, events_removed, coalesce(filter, ''), coalesce(rate, ''), coalesce(format, '')
			FROM {hook_setting} WHERE hook_id = $1 FOR UPDATE`), hook).Scan(&added, &removed, &before.Filter, &before.Rate, &before.Format)
		if err != nil {
			return err
		}
		before.Added, before.Removed = Actions(added), Actions(removed)
		c := before
		c.Added, c.Removed = slices.Clone(before.Added), slices.Clone(before.Removed)
		if err := edit(&c); err != nil {
			return err
		}
		if c.Equal(before) {
			return nil
		}
		return s.setIn(ctx, tx, hook, `events_added = $2, events_removed = $3, filter = nullif($4, ''), rate = nullif($5, ''), format = nullif($6, '')`,
			textsOf(c.Added), textsOf(c.Removed), c.Filter, c.Rate, c.Format)
	}), "set choice of hook")
}

// Actions are the elements of an array of actions that are neither null nor empty, each
// once, in alphabetical order.
func Actions(elements []*string) (actions []mapping.Action) {
	for _, element := range elements {
		if element != nil && *element != "" {
			actions = append(actions, mapping.Action(*element))
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// textsOf are the names of the actions; nil, which is null, for none.
func textsOf(actions []mapping.Action) (texts []string) {
	for _, action := range actions {
		texts = append(texts, string(action))
	}
	return texts
}
