package hook

import (
	"testing"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// TestTransactionIsSeenAsAWhole: what a transaction does to a hook in between is seen by
// nobody but those who match events.
func TestTransactionIsSeenAsAWhole(t *testing.T) {
	base := dispatchtest.HookRow(1, "http://x/")
	update := func(columnsAndValues ...string) RowChange {
		return RowChange{Table: Webhook, Row: base.With(columnsAndValues...)}
	}
	for _, tt := range []struct {
		name    string
		changes []RowChange
		told    int
		want    string // url; "": no hook
	}{
		{"deleted and inserted", []RowChange{deleteRow(Webhook, 1), update()}, 0, "http://x/"},
		{"deleted and inserted with another url", []RowChange{deleteRow(Webhook, 1), update("url", "http://y/")}, 1, "http://y/"},
		{"table emptied and filled", []RowChange{{Table: Webhook, Truncated: true}, update()}, 0, "http://x/"},
		{"switched off and on", []RowChange{update("is_active", "f"), update()}, 0, "http://x/"},
		{"made unusable and mended", []RowChange{update("url", "ftp://x/"), update("headers", "[]"), update("url", "http://y/")}, 1, "http://y/"},
		{"inserted and deleted again", []RowChange{deleteRow(Webhook, 1), update(), deleteRow(Webhook, 1)}, 1, ""},
		{"deleted", []RowChange{deleteRow(Webhook, 1)}, 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newTestHooks(t, base)
			before, _ := h.Hook(1)
			told := 0
			h.OnChange(func(int64) { told++ })
			for _, change := range tt.changes {
				change.XID = 7
				if err := h.Apply(change); err != nil {
					t.Fatal(err)
				}
				if now, _ := h.Hook(1); now != before || told != 0 {
					t.Errorf("in between: %+v, told %d times", now, told)
				}
			}
			h.Seen(1, true)
			url := ""
			if now, ok := h.Hook(1); ok {
				url = now.URL.parsed.String()
			}
			if url != tt.want || told != tt.told {
				t.Errorf("afterwards: %q, told %d times, want %q, %d", url, told, tt.want, tt.told)
			}
		})
	}
}

// TestTransactionInParts: a hook that a part of a transaction deletes is there until the last
// part, since a later one may insert it again. One that a part inserts or changes is there
// from this part on, whose events it may want.
func TestTransactionInParts(t *testing.T) {
	base := dispatchtest.HookRow(1, "http://x/")
	for _, tt := range []struct {
		name  string
		parts [][]RowChange
		want  []string // urls of hooks 1 and 2 after each part; "": there is none
	}{
		{"deleted, and inserted again", [][]RowChange{{deleteRow(Webhook, 1)}, nil, {{Table: Webhook, Row: base}}}, []string{"http://x/ ", "http://x/ ", "http://x/ "}},
		{"table emptied, and filled", [][]RowChange{{{Table: Webhook, Truncated: true}}, {{Table: Webhook, Row: base}}, nil}, []string{"http://x/ ", "http://x/ ", "http://x/ "}},
		{"deleted", [][]RowChange{{deleteRow(Webhook, 1)}, nil, nil}, []string{"http://x/ ", "http://x/ ", " "}},
		{
			"inserted, changed and deleted",
			[][]RowChange{{{Table: Webhook, Row: dispatchtest.HookRow(2, "http://y/")}}, {{Table: Webhook, Row: dispatchtest.HookRow(2, "http://z/")}}, {deleteRow(Webhook, 2)}},
			[]string{"http://x/ http://y/", "http://x/ http://z/", "http://x/ "},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newTestHooks(t, base)
			for i, part := range tt.parts {
				for _, change := range part {
					change.XID = 7
					if err := h.Apply(change); err != nil {
						t.Fatal(err)
					}
				}
				h.Seen(1, i == len(tt.parts)-1)
				var urls [2]string
				for n := range urls {
					if now, ok := h.Hook(int64(n + 1)); ok {
						urls[n] = now.URL.parsed.String()
					}
				}
				if got := urls[0] + " " + urls[1]; got != tt.want[i] {
					t.Errorf("after part %d: %q, want %q", i+1, got, tt.want[i])
				}
			}
		})
	}
}

// TestTransactionWithoutHooksCostsNothing: nearly all transactions change no hook.
func TestTransactionWithoutHooksCostsNothing(t *testing.T) {
	h := newTestHooks(t, dispatchtest.HookRow(1, "http://x/"))
	if n := testing.AllocsPerRun(100, func() { h.Seen(1, true) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
