package cdc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestClassify(t *testing.T) {
	retry := Reason("")
	for _, test := range []struct {
		name string
		in   error
		want Reason
	}{
		{"wrong password", &pgconn.PgError{Code: "28P01"}, Authentication},
		{"no such role", &pgconn.PgError{Code: "28000"}, Authentication},
		{"no such database", &pgconn.PgError{Code: "3D000"}, DatabaseMissing},
		{"privilege", &pgconn.PgError{Code: "42501"}, Privilege},
		{"table missing", &pgconn.PgError{Code: "42P01"}, TableMissing},
		{"column missing", &pgconn.PgError{Code: "42703"}, TableMissing},
		{"schema missing", &pgconn.PgError{Code: "3F000"}, TableMissing},
		{"publication younger than the slot", &pgconn.PgError{Code: "42704"}, PublicationYounger},
		{"bad option", &pgconn.PgError{Code: "22023"}, retry},
		{"decoding in recovery", &pgconn.PgError{Code: "0A000"}, retry},
		{"lock not available", &pgconn.PgError{Code: "55P03"}, retry},
		{"statement timeout", &pgconn.PgError{Code: "57014"}, retry},
		{"temporary files", &pgconn.PgError{Code: "53400"}, retry},
		{"server stops", &pgconn.PgError{Code: "57P01"}, retry},
		{"server starts", &pgconn.PgError{Code: "57P03"}, retry},
		{"too many connections", &pgconn.PgError{Code: "53300"}, retry},
		{"slot in use", &pgconn.PgError{Code: "55006"}, retry},
		{"internal error", &pgconn.PgError{Code: "XX000"}, retry},
		{"end of connection", io.ErrUnexpectedEOF, retry},
		{"timeout", context.DeadlineExceeded, retry},
		{"a fault stays what it is", &Fault{Reason: SlotMissing, Err: &pgconn.PgError{Code: "42501"}}, SlotMissing},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := New(Options{Config: &pgconn.Config{User: "u", Database: "d"}, Slot: "s", Publication: "p"})
			got := s.classify(fmt.Errorf("wrapped: %w", test.in))
			var fault *Fault
			switch {
			case test.want == retry && Final(got):
				t.Errorf("%v ends the stream", got)
			case test.want != retry && (!errors.As(got, &fault) || fault.Reason != test.want):
				t.Errorf("got %v, want a fault for %v", got, test.want)
			case !errors.Is(got, test.in):
				t.Errorf("%v hides its cause", got)
			}
		})
	}
}

func TestRemovedWALIsGap(t *testing.T) {
	s := New(Options{Config: &pgconn.Config{}, Slot: "s"})
	var gap *Gap
	if err := s.classify(&pgconn.PgError{Code: "58P01", File: "walsender.c"}); !errors.As(err, &gap) || !Final(err) {
		t.Errorf("got %v, want a gap", err)
	}
	if err := s.classify(&pgconn.PgError{Code: "58P01", File: "dfmgr.c"}); Final(err) {
		t.Errorf("a library that is not found is %v", err)
	}
}
