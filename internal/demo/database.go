package demo

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/internal/postgres"
	"github.com/hooktail/hooktail/testdata"
)

const databaseName = "labelstudio"

// database makes Label Studio's tables with a webhook for each receiver, and returns a
// session in which to play changes.
func (d *demo) database(ctx context.Context) (*pgx.Conn, error) {
	admin, err := d.connect(ctx, "postgres")
	if err != nil {
		return nil, err
	}
	defer func() { _ = admin.Close(ctx) }() // all that it was for is done, or has failed
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+databaseName); err != nil {
		return nil, fmt.Errorf("create database: %w", err)
	}
	conn, err := d.connect(ctx, databaseName)
	if err != nil {
		return nil, err
	}
	if err := d.fill(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
	}
	return conn, nil
}

// connect opens a session under hooktail's name: a session without a name counts as a
// Label Studio that sends webhooks too.
func (d *demo) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	options, err := postgres.Ordinary(d.server.DSN(database))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	options.RuntimeParams["search_path"] = "public" // the application's tables are found by their names
	conn, err := pgx.ConnectConfig(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn, nil
}

// fill loads the base data of the recordings and replaces its webhooks by the demo's,
// which want all actions of all projects of the organization.
func (d *demo) fill(ctx context.Context, conn *pgx.Conn) error {
	if err := testdata.Load(ctx, conn); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "TRUNCATE webhook, webhook_action"); err != nil {
		return fmt.Errorf("remove the recorded hooks: %w", err)
	}
	urls := []string{d.receivers[0].url(), d.receivers[1].url()}
	if d.Receiver != "" {
		urls = append(urls, d.Receiver)
	}
	for i, url := range urls {
		_, err := conn.Exec(ctx, `INSERT INTO webhook (id, url, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at, organization_id)
			VALUES ($1, $2, true, true, '{}', true, now(), now(), 1)`, i+1, url)
		if err != nil {
			return fmt.Errorf("add hook: %w", err)
		}
	}
	return nil
}
