package hook

// Refusal is the reason why hooktail cannot send to a hook. Its String is stable: it is
// logged, counted and stored.
type Refusal uint8

// Refusals.
const (
	NotRefused Refusal = iota
	BadURL             // the hook's url cannot be used
	BadHeaders         // the hook's headers cannot be used
	BadRow             // the hook's row cannot be read
)

var refusals = [...]struct{ label, remedy string }{
	NotRefused: {label: "none"},
	BadURL:     {"bad_url", "correct the hook's url"},
	BadHeaders: {"bad_headers", "correct the hook's headers"},
	BadRow:     {"bad_row", "correct the row, or delete it"},
}

// String returns the refusal as a metric label.
func (r Refusal) String() string { return refusals[r].label }

// Remedy says what a person must do about it.
func (r Refusal) Remedy() string { return refusals[r].remedy }
