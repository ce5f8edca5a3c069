package hook

import (
	"slices"
	"testing"
)

// fewColumns is a row of every column but one.
type fewColumns struct{ without string }

func (r fewColumns) Text(column string) (value string, null, ok bool) {
	switch {
	case column == r.without:
		return "", false, false
	case slices.Contains([]string{"send_payload", "send_for_all_actions", "is_active", "adopted"}, column):
		return "t", false, true
	case slices.Contains([]string{"created_at", "project_id", "headers"}, column):
		return "", true, true
	}
	return "1", false, true
}

// TestRequiredColumnsAreThose without which a row cannot be read, and no others.
func TestRequiredColumnsAreThose(t *testing.T) {
	t.Parallel()
	columns := []string{
		"id", "organization_id", "project_id", "send_payload", "send_for_all_actions", "is_active", "url", "headers", "created_at",
		"webhook_id", "action", "hook_id", "adopted",
	}
	for table, read := range map[Table]func(Row) error{
		Webhook:       func(r Row) error { _, err := readHook(r, nil); return err },
		WebhookAction: func(r Row) error { s := newRows(DeliverBoth); _, err := s.choose(r); return err },
		HookSetting:   func(r Row) error { s := newRows(DeliverBoth); _, _, _, err := s.resolve(r); return err },
	} {
		for _, column := range columns {
			err, required := read(fewColumns{column}), slices.Contains(RequiredColumns(table), column)
			if (err != nil) != required {
				t.Errorf("%s without %s: %v, required: %v", table, column, err, required)
			}
		}
	}
}
