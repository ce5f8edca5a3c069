package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
)

// errBadURL says nothing of what pgx found: its error may quote the URL. The
// configuration was checked with a message of its own.
var errBadURL = usageError{errors.New("HOOKTAIL_DATABASE_URL has a setting that is not understood")}

// connectionOptions are those of the variable alone, for a connection in
// replication mode.
func connectionOptions(cfg config.Config) (*pgconn.Config, error) {
	options, err := pgconn.ParseConfig(cfg.DatabaseURL.Reveal())
	if err != nil {
		return nil, errBadURL
	}
	return options, nil
}

// connect opens one ordinary connection.
func connect(ctx context.Context, cfg config.Config) (*pgx.Conn, error) {
	options, err := pgx.ParseConfig(cfg.DatabaseURL.Reveal())
	if err != nil {
		return nil, errBadURL
	}
	prepareSession(&options.Config)
	conn, err := pgx.ConnectConfig(ctx, options)
	if err != nil {
		return nil, cdc.Explain(err, &options.Config)
	}
	return conn, nil
}

// poolConnections are enough: one goroutine renders, one locates, one beats; and
// of those that the store has for itself, one writes, one listens, and the rest
// reads bodies.
const poolConnections = 4

// pingPatience is after how long an idle connection that does not answer is taken
// to be half open, and replaced.
const pingPatience = 3 * time.Second

// statements is how many a session keeps prepared. All that hooktail asks are fewer; pgx
// would make room for five hundred, in each session.
const statements = 64

// openPool opens connections to the application's rows or to the store, and
// makes sure that the database answers.
func openPool(ctx context.Context, cfg config.Config) (*pgxpool.Pool, error) {
	options, err := pgxpool.ParseConfig(cfg.DatabaseURL.Reveal())
	if err != nil {
		return nil, errBadURL
	}
	options.MaxConns = poolConnections
	if options.PingTimeout == 0 {
		options.PingTimeout = pingPatience
	}
	prepareSession(&options.ConnConfig.Config)
	options.ConnConfig.StatementCacheCapacity = min(options.ConnConfig.StatementCacheCapacity, statements)
	options.ConnConfig.DescriptionCacheCapacity = min(options.ConnConfig.DescriptionCacheCapacity, statements)
	pool, err := pgxpool.NewWithConfig(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("open connections: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, cdc.Explain(err, &options.ConnConfig.Config)
	}
	return pool, nil
}

// prepareSession fixes the text form of the values that are read, and lets
// the database's views show who is connected.
func prepareSession(options *pgconn.Config) {
	for name, value := range map[string]string{
		"application_name":   "hooktail",
		"timezone":           "UTC",
		"datestyle":          "ISO",
		"extra_float_digits": "1",
		"jit":                "off", // compiling takes longer than any of the queries
	} {
		options.RuntimeParams[name] = value
	}
}
