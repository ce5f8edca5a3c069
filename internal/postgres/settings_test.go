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

// TestRequestedSettingsAreThoseOfEveryServer: a server refuses a session that requests a setting
// that it does not know. These are the settings of an ordinary session that some server from
// version 14 to 19 lacks, by the release notes.
func TestRequestedSettingsAreThoseOfEveryServer(t *testing.T) {
	t.Parallel()
	for name, servers := range map[string]string{
		"force_parallel_mode":                 "14 and 15",
		"escape_string_warning":               "14 to 18",
		"debug_parallel_query":                "from 16 on",
		"debug_logical_replication_streaming": "from 16 on",
		"transaction_timeout":                 "from 17 on",
		"restrict_nonsystem_relation_kind":    "minor versions from 2024-08 on",
		"vacuum_buffer_usage_limit":           "from 16 on",
		"effective_wal_level":                 "from 19 on",
	} {
		if _, requested := settings()[name]; requested {
			t.Errorf("%s is requested, which only these servers have: %s", name, servers)
		}
	}
}
