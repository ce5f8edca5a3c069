package cdc

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/hooktail/hooktail/internal/postgres"
)

// readBuffer bounds one read from the socket. The walsender writes each message
// separately; accumulated messages are read together.
const readBuffer = 64 << 10

// connection connects, checks and streams, and returns why streaming ended: nil if ctx
// was cancelled and the server has recorded the confirmed position. worked reports whether
// the connection has worked (reader.works).
func (s *Stream) connection(ctx context.Context) (worked bool, err error) {
	r, err := s.connect(ctx)
	if err != nil {
		return false, s.refused(err)
	}
	defer r.close()
	s.connected = true
	if err := s.start(ctx, r.conn); err != nil {
		return false, s.Memory().explain(s.o.Slot, s.classify(err))
	}
	s.note(func(n *Stats) {
		n.Connected, n.Fault = true, nil
		if n.Connections++; n.Connections == 1 {
			close(s.started)
		}
	})
	defer s.note(func(n *Stats) { n.Connected = false })
	defer s.assembler.cut()

	err = r.run(ctx)
	if ctx.Err() != nil {
		return true, r.finish()
	}
	return r.works(time.Now()), s.Memory().explain(s.o.Slot, s.undecodable(s.classify(err)))
}

// connect opens a connection in replication mode.
func (s *Stream) connect(ctx context.Context) (*reader, error) {
	r := &reader{s: s}
	config := s.o.Config
	if s.o.Renew != nil {
		config = cmp.Or(s.o.Renew(), config)
	}
	config = config.Copy()
	postgres.Fix(config, map[string]string{
		"replication":        "database",
		"wal_sender_timeout": strconv.FormatInt(max(1, s.o.Timeout.Milliseconds()), 10) + "ms",
	})
	config.BuildFrontend = func(from io.Reader, to io.Writer) *pgproto3.Frontend {
		r.buffer = bufio.NewReaderSize(from, readBuffer)
		r.frontend = pgproto3.NewFrontend(r.buffer, to)
		return r.frontend
	}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		s.o.Log.WarnContext(ctx, "the server says", "severity", n.Severity, "message", n.Message, "hint", n.Hint)
	}
	var err error
	if r.conn, err = pgconn.ConnectConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("connect for replication: %w", err)
	}
	// Such a database may have any bytes. Where they are not UTF-8, the server would end the
	// stream, again and again.
	if r.conn.ParameterStatus("server_encoding") == sqlASCII {
		if err := exec(ctx, r.conn, "SET client_encoding = "+quoteText(sqlASCII)); err != nil {
			r.close()
			return nil, fmt.Errorf("set the encoding for replication: %w", err)
		}
		r.anyBytes = true
	}
	return r, nil
}

// sqlASCII is the encoding of a database that does not know the encoding of its text.
const sqlASCII = "SQL_ASCII"

// errStandby ends a connection, and is no Fault: the primary may be elsewhere for a while, or
// have no room for another connection. A standby has no slot, or a copy that nobody may read,
// and its WAL may end before what was delivered. None of that is a gap.
var errStandby = errors.New(standbyWhat + ": " + standbyMend)

// check verifies everything that the server would not report.
func (s *Stream) check(ctx context.Context, conn *pgconn.PgConn) (*Slot, error) {
	if _, err := VersionOf(ctx, conn); err != nil {
		return nil, err
	}
	if standby, err := isStandby(ctx, conn); err != nil {
		return nil, err
	} else if standby && !s.o.Temporary {
		return nil, errStandby
	}
	own := s.Memory()
	memory := own
	if own == nil && s.o.Memory != nil {
		var err error
		if memory, err = s.o.Memory(ctx); err != nil {
			return nil, fmt.Errorf("read the memory of an earlier run: %w", err)
		}
	}
	slot, err := s.slot(ctx, conn)
	if err != nil {
		return slot, memory.explain(s.o.Slot, err)
	}
	now, err := inspectPublication(ctx, conn, s.o.Publication, s.o.Tables, cmp.Or(memory, &Memory{}).Publication)
	if err != nil {
		return nil, err
	}
	slot.Published = now.content
	if memory != nil {
		last, err := lastCheckpoint(ctx, conn)
		if err != nil {
			s.o.Log.DebugContext(ctx, "cannot read the last checkpoint", "error", err)
		}
		if slot.Decoded, err = decodedOf(ctx, conn, s.o.Slot); err != nil {
			s.o.Log.DebugContext(ctx, "cannot read the slot's statistics", "error", err)
		}
		if gap := memory.gap(slot, &s.assembler.timelines, last); gap != nil {
			return slot, gap
		}
		slot.At = memory.At
		slot.Done = memory.doneOn(slot)
	}
	if err := s.diverged(ctx, slot, own); err != nil {
		return slot, err
	}
	if err := now.check(s.o.Publication, s.o.Tables); err != nil {
		return slot, memory.explain(s.o.Slot, err)
	}
	if slot.ActivePID != "" && !s.o.Temporary {
		return slot, &activeError{slot: slot.Name, pid: slot.ActivePID}
	}
	return slot, nil
}

// start checks slot and publication and makes the server stream from the confirmed
// position, or from where an earlier run has ended.
func (s *Stream) start(ctx context.Context, conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	slot, err := s.check(ctx, conn)
	if err == nil {
		err = CheckSynchronous(ctx, conn)
	}
	if err != nil {
		return err
	}
	if s.o.Hold == nil { // otherwise what was done may be lost elsewhere
		slot.Confirmed = max(slot.Confirmed, slot.Done)
	}
	if s.o.OnConnect != nil {
		if err := s.o.OnConnect(ctx, *slot); err != nil {
			return err
		}
	}
	s.position.Idle(slot.Confirmed, slot.At) // the first position; later ones are never behind it
	s.assembler.names = namesOf(s.o.Tables, slot.Published)
	begins := s.position.progress()
	memory := &Memory{
		SystemID: slot.SystemID, Timeline: slot.Timeline, End: begins.confirmed, At: begins.at, Clean: true,
		Publication: slot.Published, history: s.assembler.timelines.past,
	}
	s.note(func(n *Stats) {
		s.memory = memory
		n.SystemID, n.Timeline = slot.SystemID, slot.Timeline
		n.Recorded = max(n.Recorded, slot.Confirmed)
	})
	publication := strings.ReplaceAll(quoteIdent(s.o.Publication), "'", "''") // the grammar of replication commands has no escapes
	err = pglogrepl.StartReplication(ctx, conn, quoteIdent(s.o.Slot), begins.confirmed, pglogrepl.StartReplicationOptions{
		Mode:       pglogrepl.LogicalReplication,
		PluginArgs: []string{"proto_version '1'", "publication_names '" + publication + "'", "messages 'true'"},
	})
	if postgres.Code(err) == postgres.UndefinedObject {
		return fmt.Errorf("start replication: %w", slotMissing(s.o.Slot))
	}
	if err != nil {
		return fmt.Errorf("start replication of slot %q: %w", s.o.Slot, err)
	}
	return nil
}

// slot inspects server and slot.
func (s *Stream) slot(ctx context.Context, conn *pgconn.PgConn) (*Slot, error) {
	system, err := pglogrepl.IdentifySystem(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("identify system: %w", err)
	}
	if s.o.Temporary { // it waits for running transactions as long as the rest of start leaves time
		options := pglogrepl.CreateReplicationSlotOptions{Temporary: true, SnapshotAction: "NOEXPORT_SNAPSHOT"}
		if _, err := createOver(ctx, conn, s.o.Slot, s.o.Timeout/2, options); err != nil {
			return nil, err
		}
		if err := exec(ctx, conn, "SET lock_timeout = 0; SET statement_timeout = 0"); err != nil {
			return nil, fmt.Errorf("reset lock_timeout: %w", err)
		}
	}
	slot, err := CheckSlot(ctx, conn, s.o.Slot)
	if slot != nil {
		slot.SystemID, slot.Timeline, slot.Written = system.SystemID, system.Timeline, system.XLogPos
	}
	if err != nil {
		return slot, err
	}
	s.assembler.timelines = s.history(ctx, conn, system.Timeline)
	return slot, nil
}

// history returns the timelines before the current one. If the server cannot show its
// history, all positions count as the current timeline's.
func (s *Stream) history(ctx context.Context, conn *pgconn.PgConn, current int32) timelines {
	t := timelines{current: current}
	if current <= 1 {
		return t
	}
	file, err := pglogrepl.TimelineHistory(ctx, conn, current)
	if err == nil {
		t.past, err = parseHistory(file.Content)
	}
	if err != nil {
		s.o.Log.WarnContext(ctx, "cannot read the timeline history: assuming the current timeline for all positions", "timeline", current, "error", err)
	}
	return t
}
