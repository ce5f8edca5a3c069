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

// ends reports whether an error ends the program. Errors that do not go away by waiting
// do. Errors that a person must fix end it only before the program has streamed or stood
// by: then the set-up is wrong, and the person who started the program is watching. Later
// such an error comes from a migration or a rotation of credentials, and the program
// waits until it is over, as it does after any unknown error.
func (s *sidecar) ends(err error) bool {
	return isFatal(err) || !s.isProven() && isPermanent(err)
}

// isFatal reports whether waiting cannot help: an invalid configuration, a gap, a copied
// database, a dead stream.
func isFatal(err error) bool {
	var invalid *config.Error
	var gap *cdc.Gap
	var copied *state.CopyError
	return errors.As(err, &invalid) || errors.As(err, &gap) || errors.As(err, &copied) || errors.Is(err, errStreamDead)
}

// isProven reports whether the program has streamed or stood by.
func (s *sidecar) isProven() bool {
	now := s.role.now()
	return now.stats().Connections > 0 || s.proven.Load()
}

// isPermanent reports whether a person must fix the error.
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
