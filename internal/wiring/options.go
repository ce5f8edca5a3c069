package wiring

import (
	"log/slog"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// StreamOptions returns the options of the configured stream.
func StreamOptions(cfg config.Config, log *slog.Logger) (cdc.Options, error) {
	options, err := Replication(cfg)
	if err != nil {
		return cdc.Options{}, err
	}
	return cdc.Options{
		Config: options,
		Renew: func() *pgconn.Config {
			now, _ := Replication(cfg) // nil after an error
			return now
		},
		Slot:        cfg.Slot,
		Publication: cfg.Publication,
		Tables:      PlanOf(cfg, IdentityDefault).Tables,
		PartBytes:   int(cfg.Memory) / PartShare,
		QueueBytes:  int(cfg.Memory) / RowsShare,
		Messages:    state.EmitPrefix(cfg.StateSchema),
		Log:         log,
	}, nil
}

// MappingOptions returns the options of the configured tables.
func MappingOptions(cfg config.Config, log *slog.Logger) mapping.Options {
	return mapping.Options{
		Tables: mapping.Tables{
			Schema: cfg.SourceSchema, Project: cfg.ProjectTable, Task: cfg.TaskTable, Annotation: cfg.AnnotationTable,
		},
		Profile:     mapping.Profile(cfg.Profile),
		SendSecrets: cfg.SendSecrets,
		DeletedRows: cfg.Deleted == config.DeletedRow,
		BatchBytes:  int(cfg.Memory) / BatchShare,
		Settle:      cfg.Settle,
		Log:         log,
	}
}
