//go:build long

package main

import (
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
)

// TestConformanceOnEveryPostgreSQL: the supported major versions make no
// difference.
func TestConformanceOnEveryPostgreSQL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		major, profile string
		conforms       func(t *testing.T, play *player, variables ...string)
	}{
		{"14", "native", conformsToNative},
		{"15", "native", conformsToNative},
		{"16", "native", conformsToNative},
		{"17", "native", conformsToNative},
		{"18", "native", conformsToNative},
		{"14", "guide", conformsToGuide},
		{"18", "guide", conformsToGuide},
	} {
		t.Run(tt.major+" "+tt.profile, func(t *testing.T) {
			t.Parallel()
			db := cdctest.Private(t, throwaway.Options{Major: tt.major}).LabelStudio(t)
			if version := db.QueryText(t, "SHOW server_version"); !strings.HasPrefix(version, tt.major+".") {
				t.Fatalf("the server is PostgreSQL %s, want %s", version, tt.major)
			}
			tt.conforms(t, newPlayer(t, db), soon)
		})
	}
}
