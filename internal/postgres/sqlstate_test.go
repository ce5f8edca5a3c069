package postgres_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/postgres"
)

// TestPermanent: the list is short, and what is not on it is waited for.
func TestPermanent(t *testing.T) {
	t.Parallel()
	permanent := []string{"28000", "28P01", "3D000", "3F000", "42501", "42703", "42P01"}
	passing := []string{
		"", "00000", "08006", "0A000", "22023", "23505", "25006", "25P02", "25P03", "26000", "40001", "40P01", "42601", "42704", "42883", "53100", "53200", "53300", "53400",
		"54001", "55000", "55006", "55P03", "57014", "57P01", "57P03", "57P05", "58030", "58P01", "XX000", "XX001",
	}
	for _, code := range permanent {
		if err := fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code}); !postgres.Permanent(err) || postgres.Remedy(err) == "" || postgres.Code(err) != code {
			t.Errorf("%s is waited for", code)
		}
	}
	for _, code := range passing {
		if postgres.Permanent(&pgconn.PgError{Code: code}) {
			t.Errorf("%s is not waited for", code)
		}
	}
	if postgres.Permanent(errors.New("connection refused")) || postgres.Permanent(nil) {
		t.Error("what the server has not said is permanent")
	}
}
