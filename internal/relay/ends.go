package relay

import (
	"errors"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/postgres"
	"github.com/hooktail/hooktail/mapping"
)

// ends reports whether an error ends the program. What no waiting mends does. What only a
// person can mend does before the program has streamed or stood by: then it was set up
// wrongly, and whoever started it is there to see it. Later it is a migration, or
// credentials that are being rotated, which the program waits out, and so is whatever is
// not known to be of that kind.
func (s *sidecar) ends(err error) bool {
	return isFatal(err) || !s.isProven() && isPermanent(err)
}

// isFatal reports whether no waiting mends what has caused the error: a fault of the
// configuration, a gap, a copied database, a stream that is dead.
func isFatal(err error) bool {
	var invalid *config.Error
	var gap *cdc.Gap
	var copied *state.CopyError
	return errors.As(err, &invalid) || errors.As(err, &gap) || errors.As(err, &copied) || errors.Is(err, errStreamDead)
}

// isProven reports whether the program has streamed or stood by.
func (s *sidecar) isProven() bool {
	if stream, _ := s.role.current(); stream != nil && stream.Stats().Connections > 0 {
		return true
	}
	return s.proven.Load()
}

// isPermanent reports whether only a person can mend what has caused the error.
func isPermanent(err error) bool {
	var schema *state.SchemaError
	var column *mapping.MissingColumnError
	var hookColumn *hook.MissingColumnError
	var fault *cdc.Fault
	if errors.As(err, &fault) {
		return !fault.Passes()
	}
	return postgres.Permanent(err) || errors.As(err, &schema) || errors.As(err, &column) || errors.As(err, &hookColumn)
}
