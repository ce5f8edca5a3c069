package state

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktail/hooktail/mapping"
)

// Choice holds the settings that people chose for a hook in addition to its row in the
// application: the columns of hook_setting, unchecked.
type Choice struct {
	Added   []mapping.Action `json:"events_added,omitempty"`   // additional actions
	Removed []mapping.Action `json:"events_removed,omitempty"` // excluded actions
	Filter  string           `json:"filter,omitempty"`         // CEL expression about the body; "": none
	Rate    string           `json:"rate,omitempty"`           // for example "10/s"; "": unlimited
	Format  string           `json:"format,omitempty"`         // form of requests; "": Label Studio's own
}

// Events returns the changes to the hook's events as they are typed: +A,-B.
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

// Choose changes the hook's choice, for events committed later. If edit returns an error,
// nothing changes. edit may be called again if the row is locked.
func (s *Store) Choose(ctx context.Context, hook int64, edit func(*Choice) error) error {
	return wrap(s.patient(ctx, "BEGIN", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.sql(`INSERT INTO {hook_setting} (hook_id) VALUES ($1) ON CONFLICT DO NOTHING`), hook); err != nil {
			return err
		}
		var before Choice
		var added, removed pgtype.FlatArray[*string] // of any dimensions, as the column is not restricted
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

// Actions returns the elements of an array of actions that are neither null nor empty,
// without duplicates, in alphabetical order.
func Actions(elements []*string) (actions []mapping.Action) {
	for _, element := range elements {
		if element != nil && *element != "" {
			actions = append(actions, mapping.Action(*element))
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// textsOf returns the names of the actions; nil, which is null, for none.
func textsOf(actions []mapping.Action) (texts []string) {
	for _, action := range actions {
		texts = append(texts, string(action))
	}
	return texts
}
