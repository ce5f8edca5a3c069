package natslog

import (
	"github.com/hooktail/hooktail/cdc"
)

// Bookmark is how far a partition is delivered, as its bucket has it.
type Bookmark struct {
	Epoch  int64   `json:"epoch"`  // of the sender that wrote it
	Seq    uint64  `json:"seq"`    // of the last message below which all is done; 0: of none
	ID     string  `json:"id"`     // of that message
	Prefix cdc.LSN `json:"prefix"` // that it has: all of these commits is done
	// Done is what is done above the prefix: "<id>" if all hooks of the partition have the
	// event, otherwise "<id>/<hook>".
	Done []string `json:"done"`
}
