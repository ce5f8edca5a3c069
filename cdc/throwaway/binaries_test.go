//go:build linux || darwin

package throwaway

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"
)

// broken is an archive with bin/initdb, bin/postgres and bin/pg_ctl, and then a file that
// cannot be extracted, as when the disk is full.
const broken = "/Td6WFoAAAFpIt42AgAhARYAAAB0L+Wj4Cf/AKxdADEaShsO1TDyWxuE7yh9tnRTrysNXAd5TfTfWwfdwe5XlIEyE0l7OS/JVdMeKE2KEIsfvyFSeJoE6wNH" +
	"THdSWieZs09fxLtK0d/t1E3rybRAQZKR9p5TCbVjUPy55Ui0lFz4AhoQq8LbYBeCg9i02c+GZta0tKmJ51KlJUJStTjkM/Q3kGCaoOxnUyQCAG5cFLLjWTJ6" +
	"1k43MpmjuDZPCEC9g+Jjs2f9eoRjGQAA79EblwABxAGAUAAARDmp9T4wDYsCAAAAAAFZWg=="

// TestHalfExtractedServerDoesNotCount: otherwise it would be kept, and used for ever.
func TestHalfExtractedServerDoesNotCount(t *testing.T) {
	t.Parallel()
	archive, err := base64.StdEncoding.DecodeString(broken)
	if err != nil {
		t.Fatal(err)
	}
	version, scratch := embedded[newest], t.TempDir()
	for _, system := range []string{"linux-amd64", "linux-amd64-alpine", "linux-arm64v8", "linux-arm64v8-alpine", "darwin-amd64", "darwin-arm64v8"} {
		name := filepath.Join(scratch, "embedded-postgres-binaries-"+system+"-"+string(version)+".txz")
		if err := os.WriteFile(name, archive, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := download(t.Context(), version, scratch)
	if err == nil {
		t.Errorf("a part of the archive counts as a server: %s", got)
	}
	if !complete(filepath.Join(scratch, "postgres", "bin")) {
		t.Errorf("the archive is not broken where it should be: %v", err)
	}
}
