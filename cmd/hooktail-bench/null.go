package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
)

// inFlight is the number of concurrent requests of the null pipeline.
const inFlight = 32

// runNull is the null pipeline: it reads the slot, makes JSON of each row and posts
// it to each URL. It keeps no order, retries nothing, stores nothing, reads nothing else
// from the database, and confirms rows before their delivery. No program that does
// hooktail's work can be expected to be faster.
//
// Its arguments are the database's URL, the slot, and the URLs. Without URLs it posts
// nothing.
func runNull(ctx context.Context, args []string) error {
	dsn, slot, urls := args[0], args[1], args[2:]
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return err
	}
	config.RuntimeParams["replication"] = "database"
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	err = pglogrepl.StartReplication(ctx, conn, slot, 0, pglogrepl.StartReplicationOptions{
		PluginArgs: []string{"proto_version '1'", "publication_names 'hooktail'"},
	})
	if err != nil {
		return err
	}
	bodies := make(chan []byte, 1024)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: inFlight}}
	for range inFlight {
		go func() {
			for body := range bodies {
				for _, url := range urls {
					post(ctx, client, url, body)
				}
			}
		}()
	}
	return readNull(ctx, conn, bodies)
}

func post(ctx context.Context, client *http.Client, url string, body []byte) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, response.Body) // the answer does not matter
	_ = response.Body.Close()
}

// readNull passes on the body of each inserted row.
func readNull(ctx context.Context, conn *pgconn.PgConn, bodies chan<- []byte) error {
	relations := map[uint32]*pglogrepl.RelationMessage{}
	next := time.Now()
	var read pglogrepl.LSN
	for {
		if now := time.Now(); now.After(next) {
			if err := pglogrepl.SendStandbyStatusUpdate(ctx, conn, pglogrepl.StandbyStatusUpdate{WALWritePosition: read}); err != nil {
				return err
			}
			next = now.Add(time.Second)
		}
		received, err := conn.ReceiveMessage(ctx)
		if err != nil {
			return err
		}
		data, ok := received.(*pgproto3.CopyData)
		if !ok || data.Data[0] != pglogrepl.XLogDataByteID {
			continue
		}
		x, err := pglogrepl.ParseXLogData(data.Data[1:])
		if err != nil {
			return err
		}
		read = max(read, x.WALStart)
		message, err := pglogrepl.Parse(x.WALData)
		if err != nil {
			return err
		}
		switch m := message.(type) {
		case *pglogrepl.RelationMessage:
			relations[m.RelationID] = m
		case *pglogrepl.InsertMessage:
			bodies <- nullBody(relations[m.RelationID], m.Tuple)
		}
	}
}

// nullBody returns the row as a JSON object.
func nullBody(rel *pglogrepl.RelationMessage, row *pglogrepl.TupleData) []byte {
	body := fmt.Appendf(make([]byte, 0, 1024), `{"action": "INSERT", %q: {`, rel.RelationName)
	for i, column := range row.Columns {
		if i > 0 {
			body = append(body, ", "...)
		}
		body = append(body, '"')
		body = append(body, rel.Columns[i].Name...)
		body = append(body, `": `...)
		if column.DataType != pglogrepl.TupleDataTypeText {
			body = append(body, "null"...)
			continue
		}
		switch rel.Columns[i].DataType {
		case pgtype.BoolOID:
			body = strconv.AppendBool(body, column.Data[0] == 't')
		case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.Float8OID, pgtype.JSONOID, pgtype.JSONBOID: // their text is JSON
			body = append(body, column.Data...)
		default:
			body = strconv.AppendQuote(body, string(column.Data))
		}
	}
	return append(body, "}}"...)
}
