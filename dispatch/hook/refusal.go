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

// String returns the refusal as a metric label.
func (r Refusal) String() string {
	switch r {
	case BadURL:
		return "bad_url"
	case BadHeaders:
		return "bad_headers"
	case BadRow:
		return "bad_row"
	default:
		return "none"
	}
}

// Remedy says what a person must do about it.
func (r Refusal) Remedy() string {
	switch r {
	case BadURL:
		return "correct the hook's url"
	case BadHeaders:
		return "correct the hook's headers"
	case BadRow:
		return "correct the row, or delete it"
	default:
		return ""
	}
}
