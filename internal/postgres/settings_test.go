package postgres

import "testing"

// TestUrgentSettings: a server that knows transaction_timeout is told of it first, and one
// that does not is not: it would call it an error.
func TestUrgentSettings(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"14.0": false, "15.18 (Debian 15.18-0+deb12u1)": false, "16.9": false, "": false, "EnterpriseDB": false,
		"17.0": true, "17beta1": true, "18.1 (Ubuntu 18.1-1)": true, "19devel": true,
	} {
		if got := urgent(version) != ""; got != want {
			t.Errorf("server version %q: set first: %t", version, got)
		}
	}
}
