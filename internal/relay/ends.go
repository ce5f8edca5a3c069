package relay

import (
	"errors"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/parking"
	"github.com/hooktail/hooktail/internal/postgres"
	"github.com/hooktail/hooktail/mapping"
)

// ends reports whether an error ends the program. A gap, a fault of the configuration
// and a stream that is dead do. What only a person can mend does before the program
// has streamed or stood by: then it was set up wrongly, and whoever started it is there
// to see it. Later it is a migration, or credentials that are being rotated, which
// the program waits out, and so is whatever is not known to be of that kind.
func (s *sidecar) ends(err error) bool {
	var gap *cdc.Gap
	if isInvalid(err) || errors.As(err, &gap) || errors.Is(err, errStreamDead) {
		return true
	}
	return !s.isProven() && isPermanent(err)
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
	var schema *parking.SchemaError
	var column *mapping.MissingColumnError
	var hookColumn *dispatch.MissingColumnError
	var fault *cdc.Fault
	if errors.As(err, &fault) {
		return !fault.Passes()
	}
	return isInvalid(err) || postgres.Permanent(err) || errors.As(err, &schema) || errors.As(err, &column) || errors.As(err, &hookColumn)
}

// isInvalid reports whether the error is a fault of the configuration.
func isInvalid(err error) bool {
	var invalid *config.Error
	return errors.As(err, &invalid)
}
