package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// ApplicationName is the name of every session, so that the database's views show who is
// connected.
const ApplicationName = "hooktail"

// settings are what a session sets for itself. They are part of the request for the
// session and therefore override ALTER ROLE and ALTER DATABASE from the first statement
// on; a statement_timeout of 1 ms would stop a later SET. Every server from version 14 to
// 19 has them, and every role may set them.
//
// The program bounds its statements by adaptive deadlines of its own; those of the
// server are off.
//
// https://www.postgresql.org/docs/current/runtime-config-client.html
func settings() map[string]string {
	return map[string]string{
		"application_name": ApplicationName,

		// Limits on a statement, a transaction or a session.
		"statement_timeout":                   "0",
		"lock_timeout":                        "0",
		"idle_in_transaction_session_timeout": "0",
		"idle_session_timeout":                "0",
		"tcp_user_timeout":                    "0",
		"exit_on_error":                       "off",

		// The visibility and permissions of a transaction, and the durability of its
		// commit.
		"default_transaction_isolation":  "read committed",
		"default_transaction_read_only":  "off",
		"default_transaction_deferrable": "off",
		"synchronous_commit":             "on",
		"row_security":                   "off", // a policy causes an error instead of hiding rows

		// The text form of values in both directions.
		"client_encoding":             "UTF8",
		"timezone":                    "UTC",
		"datestyle":                   "ISO, MDY",
		"intervalstyle":               "postgres",
		"extra_float_digits":          "1",
		"bytea_output":                "hex",
		"xmlbinary":                   "base64",
		"xmloption":                   "content",
		"lc_monetary":                 "C",
		"lc_numeric":                  "C",
		"lc_time":                     "C",
		"array_nulls":                 "on",
		"quote_all_identifiers":       "off",
		"standard_conforming_strings": "on",
		"backslash_quote":             "safe_encoding",
		"transform_null_equals":       "off",
		"client_min_messages":         "warning",

		// The lookup of names, and the storage of new objects.
		"search_path":                 "pg_catalog",
		"default_table_access_method": "heap",
		"default_tablespace":          "",
		"temp_tablespaces":            "",
		"default_toast_compression":   "pglz",
		"check_function_bodies":       "on",

		// The cost of queries.
		"jit":             "off", // compiling takes longer than any of the queries
		"plan_cache_mode": "auto",
		"work_mem":        "4MB",
	}
}

// later are settings that only some servers have. A server refuses a session that
// requests an unknown setting, also within options (-c transaction_timeout=0 is SQLSTATE
// 42704 before 17), and reports its version only after the login. So these are set once
// the session exists.
func later() map[string]string {
	return map[string]string{
		"escape_string_warning":               "off", // up to 18
		"transaction_timeout":                 "0",   // from 17 on
		"restrict_nonsystem_relation_kind":    "",    // in minor versions from 2024-08 on
		"force_parallel_mode":                 "off", // its name before 16
		"debug_parallel_query":                "off", // its name from 16 on
		"debug_logical_replication_streaming": "buffered",
	}
}

// Sets reports whether every session of the program, or every session that replicates,
// sets the parameter for itself.
func Sets(name string) bool {
	name = strings.ToLower(name)
	_, ordinary := settings()[name]
	_, late := later()[name]
	return ordinary || late || name == "wal_sender_timeout"
}

// urgent is the statement that must come first: a transaction_timeout of a few
// milliseconds, set for the role, would end the session while it plans the query for the
// other settings. SET is not planned, and stops the timer immediately.
// https://www.postgresql.org/docs/17/runtime-config-client.html#GUC-TRANSACTION-TIMEOUT
func urgent(serverVersion string) string {
	const since = 17
	rest := strings.TrimLeft(serverVersion, "0123456789") // beta1 of 18beta1
	if n, err := strconv.Atoi(strings.TrimSuffix(serverVersion, rest)); err != nil || n < since {
		return ""
	}
	return "SET transaction_timeout = 0; "
}

// setLater sets them. It has a deadline of its own, since a pool continues to open a
// connection after its caller has gone.
func setLater(ctx context.Context, conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	values := later()
	var rows []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		rows = append(rows, fmt.Sprintf("('%s', '%s')", name, values[name]))
	}
	_, err := conn.Exec(ctx, urgent(conn.ParameterStatus("server_version"))+"SELECT pg_catalog.set_config(name, value, false) FROM (VALUES "+strings.Join(rows, ", ")+
		") AS later (name, value) WHERE pg_catalog.current_setting(name, true) <> value").ReadAll()
	if err != nil {
		return fmt.Errorf("set what the session must not inherit: %w", err)
	}
	return nil
}

// Fix changes the options so that the session inherits nothing. It drops the settings in
// the options, for example from the environment, except for the Role. Settings in more
// override those of the same name. The options must come from ParseConfig.
func Fix(options *pgconn.Config, more map[string]string) {
	role := options.RuntimeParams[Role]
	options.RuntimeParams = settings()
	if role != "" {
		options.RuntimeParams[Role] = role
	}
	maps.Copy(options.RuntimeParams, more)
	options.AfterConnect = setLater
	if options.ConnectTimeout == 0 {
		options.ConnectTimeout = connectPatience
	}
}
