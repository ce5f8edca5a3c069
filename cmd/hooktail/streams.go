package main

import (
	"log/slog"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/mapping"
)

// streamOptions are those of the configuration's stream.
func streamOptions(cfg config.Config, log *slog.Logger) (cdc.Options, error) {
	options, err := connectionOptions(cfg)
	if err != nil {
		return cdc.Options{}, err
	}
	return cdc.Options{
		Config: options,
		Renew: func() *pgconn.Config {
			now, err := connectionOptions(cfg)
			if err != nil {
				return nil
			}
			return now
		},
		Slot:        cfg.Slot,
		Publication: cfg.Publication,
		Tables:      planOf(cfg, identityDefault).Tables,
		PartBytes:   int(cfg.Memory) / partShare,
		QueueBytes:  int(cfg.Memory) / rowsShare,
		Log:         log,
	}, nil
}

// mappingOptions are those of the configuration's tables.
func mappingOptions(cfg config.Config, log *slog.Logger) mapping.Options {
	return mapping.Options{
		Tables: mapping.Tables{
			Schema: cfg.SourceSchema, Project: cfg.ProjectTable, Task: cfg.TaskTable, Annotation: cfg.AnnotationTable,
		},
		Profile:     mapping.Profile(cfg.Profile),
		SendSecrets: cfg.SendSecrets,
		DeletedRows: cfg.Deleted == config.DeletedRow,
		Settle:      cfg.Settle,
		Log:         log,
	}
}
