package status

import (
	"github.com/hooktail/hooktail/dispatch/state"
)

// StoredOf returns the delivery without its body.
func StoredOf(r *state.Row) Stored {
	return Stored{
		Hook: r.Hook, Event: r.Event.String(), LSN: r.Event.Commit.String(), Action: string(r.Action), Project: r.Project, Task: r.Task,
		Committed: r.Committed.UTC(), Parked: r.Stored.UTC(), Bytes: r.Bytes, State: string(r.State), Attempts: r.Attempts,
		LastResult: r.LastResult, LastStatus: r.LastStatus, Next: r.Next.UTC(), Died: r.Died.UTC(), Reason: r.Reason,
	}
}
