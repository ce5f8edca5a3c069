package conformance

import "strings"

// recordedAddress is the address of all hooks in the recording: in base.sql and in the
// scenarios' statements.
const recordedAddress = "127.0.0.1:9900"

// Readdress replaces the hooks' recorded address by host and port of the receiver. It is
// for base.sql and statements.
func Readdress(sql, address string) string {
	return strings.ReplaceAll(sql, recordedAddress, address)
}

// statements splits SQL text at semicolons outside quotes and comments. It supports the
// quoting in the recording: strings with doubled quotes, E strings with backslashes,
// quoted names and line comments. Comments are dropped.
func statements(sql string) []string {
	var all []string
	var current strings.Builder
	for len(sql) > 0 {
		n := 1
		switch {
		case strings.HasPrefix(sql, "--"):
			n = lineEnd(sql)
			sql = sql[n:]
			continue
		case strings.HasPrefix(sql, "E'") && !endsInWord(current.String()):
			length, _ := quoted(sql[2:], '\'', true)
			n = 2 + length
		case sql[0] == '\'':
			length, _ := quoted(sql[1:], '\'', false)
			n = 1 + length
		case sql[0] == '"':
			length, _ := quoted(sql[1:], '"', false)
			n = 1 + length
		case sql[0] == ';':
			all = append(all, strings.TrimSpace(current.String()))
			current.Reset()
			sql = sql[1:]
			continue
		}
		current.WriteString(sql[:n])
		sql = sql[n:]
	}
	if rest := strings.TrimSpace(current.String()); rest != "" {
		all = append(all, rest)
	}
	return all
}

func lineEnd(sql string) int {
	if n := strings.IndexByte(sql, '\n'); n >= 0 {
		return n + 1
	}
	return len(sql)
}

// endsInWord reports whether a following E is the end of a name.
func endsInWord(sql string) bool {
	if sql == "" {
		return false
	}
	c := sql[len(sql)-1]
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// quoted returns the length of the text after an opening quote, including the closing
// one, and whether there is a closing one.
func quoted(sql string, quote byte, backslash bool) (length int, closed bool) {
	for i := 0; i < len(sql); i++ {
		switch {
		case backslash && sql[i] == '\\':
			i++
		case sql[i] == quote && i+1 < len(sql) && sql[i+1] == quote:
			i++
		case sql[i] == quote:
			return i + 1, true
		}
	}
	return len(sql), false
}

// transactions groups statements by transaction: a single one, or those from BEGIN to its
// end.
func transactions(statements []string) [][]string {
	var all [][]string
	open := false
	for _, s := range statements {
		if !open {
			all = append(all, nil)
		}
		last := len(all) - 1
		all[last] = append(all[last], s)
		switch s {
		case "BEGIN":
			open = true
		case "COMMIT", "ROLLBACK":
			open = false
		}
	}
	return all
}
