package wiring

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
	"github.com/hooktail/hooktail/internal/postgres"
)

// badURL hides the error of pgx, which may quote the URL. The configuration was checked
// before, but a file that it names may have changed since.
func badURL(err error) error {
	_, unknown := errors.AsType[*postgres.ParameterError](err)
	if _, invalid := errors.AsType[*postgres.ValueError](err); unknown || invalid {
		return &config.Error{Err: fmt.Errorf("HOOKTAIL_DATABASE_URL %w", err)}
	}
	return &config.Error{Err: errors.New("HOOKTAIL_DATABASE_URL cannot be parsed")}
}

// databaseURL returns the present content of the variable's file, or the initial
// connection string if the file is unusable, as it may be during a rotation of
// credentials.
func databaseURL(cfg config.Config) string {
	now := cfg.DatabaseURL.Reread().Reveal()
	if postgres.Check(now) != nil {
		return cfg.DatabaseURL.Reveal()
	}
	return now
}

// Replication returns the options of a replication connection.
func Replication(cfg config.Config) (*pgconn.Config, error) {
	options, err := postgres.Replication(databaseURL(cfg))
	if err != nil {
		return nil, badURL(err)
	}
	return options, nil
}

// Session returns the options of an ordinary session, with the present credentials.
func Session(cfg config.Config) (*pgx.ConnConfig, error) {
	options, err := postgres.Ordinary(databaseURL(cfg))
	if err != nil {
		return nil, badURL(err)
	}
	// hooktail uses fewer statements than this; pgx would reserve room for five hundred
	// in each session.
	const statements = 64
	options.StatementCacheCapacity, options.DescriptionCacheCapacity = statements, statements
	return options, nil
}

// Connect opens one ordinary connection.
func Connect(ctx context.Context, cfg config.Config) (*pgx.Conn, error) {
	options, err := Session(cfg)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, options)
	if err != nil {
		return nil, cdc.Explain(err, &options.Config)
	}
	return conn, nil
}

// poolConnections is enough: one goroutine renders, one locates, one writes heartbeats.
// Of the store's own connections one writes, one listens, and the rest read bodies.
const poolConnections = 4

// pingPatience is the time after which an idle connection that does not answer counts as
// half open and is replaced.
const pingPatience = 3 * time.Second

// NewPool returns a pool of connections to the application's rows or to the store. It
// opens connections when they are needed, each with the credentials of that time.
func NewPool(ctx context.Context, cfg config.Config) (*pgxpool.Pool, error) {
	session, err := Session(cfg)
	if err != nil {
		return nil, err
	}
	options, err := pgxpool.ParseConfig(session.ConnString())
	if err != nil {
		return nil, badURL(err)
	}
	options.ConnConfig = session
	options.MaxConns, options.MinConns = poolConnections, 0
	options.PingTimeout = pingPatience
	options.BeforeConnect = func(_ context.Context, session *pgx.ConnConfig) error {
		if now, err := Session(cfg); err == nil {
			*session = *now
		}
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("open connections: %w", err)
	}
	return pool, nil
}

// closeWithin is how long ClosePool waits for a server that does not answer.
const closeWithin = time.Second

// ClosePool closes the pool's connections. Of a server that does not answer, they end by themselves: pgx
// waits 15 s for it.
func ClosePool(pool *pgxpool.Pool) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		pool.Close()
	}()
	select {
	case <-closed:
	case <-time.After(closeWithin):
	}
}

// OpenPool is NewPool with a check that the database answers.
func OpenPool(ctx context.Context, cfg config.Config) (*pgxpool.Pool, error) {
	pool, err := NewPool(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		defer pool.Close()
		return nil, cdc.Explain(err, &pool.Config().ConnConfig.Config)
	}
	return pool, nil
}

// Opener returns OpenPool for a caller that does not know the configuration.
func Opener(cfg config.Config) func(context.Context) (*pgxpool.Pool, error) {
	return func(ctx context.Context) (*pgxpool.Pool, error) { return OpenPool(ctx, cfg) }
}
