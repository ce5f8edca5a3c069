package hook

// Refusal says why nothing can be sent to a hook. Its String is stable: it is logged,
// counted and stored.
type Refusal uint8

// The refusals.
const (
	NotRefused Refusal = iota
	BadURL             // the hook's url cannot be used
	BadHeaders         // the hook's headers cannot be used
	BadRow             // the hook's row cannot be read
)

// String is the refusal as a metric label.
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

// Remedy says what a person has to do about it.
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
