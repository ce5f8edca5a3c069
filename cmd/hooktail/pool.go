package main

import (
	"context"
	"fmt"
	"maps"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
)

// openPool opens the connections that rows are read with, and makes sure that
// the database answers.
func openPool(ctx context.Context, cfg config.Config) (*pgxpool.Pool, error) {
	options, err := pgxpool.ParseConfig(cfg.DatabaseURL.Reveal())
	if err != nil {
		// The error of pgx may quote the URL; the configuration was checked
		// with a message of our own.
		return nil, usageError{fmt.Errorf("HOOKTAIL_DATABASE_URL has a setting that is not understood")}
	}
	options.MaxConns = 4
	maps.Copy(options.ConnConfig.RuntimeParams, cdc.SessionParameters())
	pool, err := pgxpool.NewWithConfig(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("open connections: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, cdc.Explain(err)
	}
	return pool, nil
}
