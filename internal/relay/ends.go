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

// ends reports whether an error ends the program. Errors that do not go away by waiting do: an
// invalid configuration, a gap, a copied database, a dead stream. Errors that a person must fix
// end it only before the program has streamed or stood by: then the set-up is wrong, and the
// person who started the program is watching. Later such an error comes from a migration or a
// rotation of credentials, and the program waits until it is over, as it does after any unknown
// error.
func (s *sidecar) ends(err error) bool {
	return is[*config.Error](err) || is[*cdc.Gap](err) || is[*state.CopyError](err) || errors.Is(err, errStreamDead) ||
		!s.isProven() && isPermanent(err)
}

// is reports whether the error or one of its causes has the type.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// isProven reports whether the program has streamed or stood by.
func (s *sidecar) isProven() bool {
	now := s.role.now()
	return now.stats().Connections > 0 || s.proven.Load()
}

// isPermanent reports whether a person must fix the error.
func isPermanent(err error) bool {
	if fault, ok := errors.AsType[*cdc.Fault](err); ok {
		return !fault.Passes()
	}
	return postgres.Permanent(err) || is[*state.SchemaError](err) || is[*mapping.MissingColumnError](err) || is[*hook.MissingColumnError](err)
}
