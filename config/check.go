package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hooktail/hooktail/internal/postgres"
)

const (
	maxName   = 63 // bytes: NAMEDATALEN without the final zero
	maxTime   = time.Duration(math.MaxInt64)
	minMemory = 16 * MiB
	minPark   = MiB
	off       = "off" // HTTP_ADDR: no server
	minToken  = 16
	maxToken  = 1024
)

// checks return what is wrong with a variable's value, apart from its type, without
// showing the value; nil if it is valid. Every variable has one.
var checks = map[string]func(c *Config) error{
	"DATABASE_URL":         func(c *Config) error { return checkDatabaseURL(c.DatabaseURL) },
	"SLOT":                 func(c *Config) error { return checkSlot(c.Slot) },
	"PUBLICATION":          func(c *Config) error { return checkName(c.Publication) },
	"STATE_SCHEMA":         func(c *Config) error { return checkName(c.StateSchema) },
	"SOURCE_SCHEMA":        func(c *Config) error { return checkName(c.SourceSchema) },
	"PROJECT_TABLE":        func(c *Config) error { return checkName(c.ProjectTable) },
	"TASK_TABLE":           func(c *Config) error { return checkName(c.TaskTable) },
	"ANNOTATION_TABLE":     func(c *Config) error { return checkName(c.AnnotationTable) },
	"WEBHOOK_TABLE":        func(c *Config) error { return checkName(c.WebhookTable) },
	"WEBHOOK_ACTION_TABLE": func(c *Config) error { return checkName(c.WebhookActionTable) },
	"PROFILE":              func(c *Config) error { return oneOf(c.Profile, Guide, Native) },
	"SETTLE":               func(c *Config) error { return within(c.Settle, 0, time.Minute) },
	"SEND_SECRETS":         typed,
	"DELETED":              func(c *Config) error { return oneOf(c.Deleted, DeletedID, DeletedRow) },
	"DELIVER":              func(c *Config) error { return oneOf(c.Deliver, DeliverActive, DeliverAdopted, DeliverBoth) },
	"ADOPT_OVERLAP":        func(c *Config) error { return within(c.AdoptOverlap, 0, 10*time.Minute) },
	"TIMEOUT":              func(c *Config) error { return within(c.Timeout, 1, maxTime) },
	"MAX_ATTEMPTS":         func(c *Config) error { return within(c.MaxAttempts, 0, math.MaxInt) },
	"RETRY_FOR":            func(c *Config) error { return within(c.RetryFor, 1, maxTime) },
	"HOOK_CONCURRENCY":     func(c *Config) error { return within(c.HookConcurrency, 1, 1000) },
	"CONCURRENCY":          func(c *Config) error { return within(c.Concurrency, 1, 10000) },
	"EGRESS":               typed,
	"SECRET_KEY": func(c *Config) error {
		_, err := parseSecretKeys(c.SecretKey)
		return err
	},
	"TLS_CA":    func(c *Config) error { return checkCertificates(c.TLSCA) },
	"TLS_CERT":  func(c *Config) error { return checkCertificates(c.TLSCert) },
	"TLS_KEY":   func(c *Config) error { return receiverPEM.checkKey(c.TLSCert, c.TLSKey) },
	"PROXY":     func(c *Config) error { return checkProxy(c.Proxy) },
	"NATS_URL":  func(c *Config) error { return checkNATS(c.NATSURL) },
	"NATS_CA":   func(c *Config) error { return cmp.Or(c.checkNATSOnly(c.NATSCA), checkCertificates(c.NATSCA)) },
	"NATS_CERT": func(c *Config) error { return cmp.Or(c.checkNATSOnly(c.NATSCert), checkCertificates(c.NATSCert)) },
	"NATS_KEY": func(c *Config) error {
		return cmp.Or(c.checkNATSOnly(c.NATSKey), natsPEM.checkKey(c.NATSCert, c.NATSKey))
	},
	"NATS_CREDS": (*Config).checkCreds,
	"NATS_NKEY":  (*Config).checkNKey,
	"ROLE": func(c *Config) error {
		return cmp.Or(oneOf(c.Role, RoleBoth, RoleReader, RoleSender), c.needsNATS(c.Role != RoleBoth))
	},
	"NATS_SYNC":      typed,
	"NATS_REPLICAS":  func(c *Config) error { return oneOf(c.NATSReplicas, 1, 3, 5) },
	"KEEP":           func(c *Config) error { return cmp.Or(within(c.Keep, 0, maxTime), c.needsNATS(c.Keep > 0)) },
	"TOPIC":          func(c *Config) error { return c.needsNATS(c.Topic) },
	"PARK_MAX_BYTES": func(c *Config) error { return within(c.ParkMaxBytes, minPark, math.MaxInt64) },
	"DEAD_RETENTION": func(c *Config) error { return within(c.DeadRetention, time.Hour, maxTime) },
	"MEMORY":         func(c *Config) error { return within(c.Memory, minMemory, math.MaxInt64) },
	"GRACE":          func(c *Config) error { return within(c.Grace, 0, maxTime) },
	"HTTP_ADDR":      func(c *Config) error { return checkAddr(c.HTTPAddr) },
	"HTTP_HOSTS":     func(c *Config) error { return checkHosts(c.HTTPHosts) },
	"ADMIN_TOKEN":    func(c *Config) error { return checkToken(c.AdminToken) },
	"LOG_LEVEL": func(c *Config) error {
		return oneOf(c.LogLevel, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError)
	},
	"LOG_FORMAT": func(c *Config) error { return oneOf(c.LogFormat, LogText, LogJSON) },
}

// typed is for variables whose type checks everything.
func typed(*Config) error { return nil }

func within[T cmp.Ordered](value, least, most T) error {
	switch {
	case value < least:
		return problem("is too small")
	case value > most:
		return problem("is too large")
	default:
		return nil
	}
}

func oneOf[T comparable](value T, allowed ...T) error {
	if !slices.Contains(allowed, value) {
		return problem("is invalid")
	}
	return nil
}

// checkSlot allows the names that the server accepts for a slot.
// https://www.postgresql.org/docs/current/warm-standby.html#STREAMING-REPLICATION-SLOTS-MANIPULATION
func checkSlot(name string) error {
	if len(name) > maxName {
		return problem("is too long")
	}
	for _, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return problem(fmt.Sprintf("contains the character %q", r))
		}
	}
	return nil
}

// checkName allows the names that the server accepts as a quoted identifier. The server
// truncates longer names without an error.
func checkName(name string) error {
	switch {
	case len(name) > maxName:
		return problem("is too long")
	case !utf8.ValidString(name), strings.ContainsFunc(name, unicode.IsControl):
		return problem("contains a control character, or is not UTF-8")
	default:
		return nil
	}
}

// checkDatabaseURL rewords the errors of pgx, which quote the text and do not always hide
// the password in it.
func checkDatabaseURL(url Secret) error {
	const escape = "cannot be parsed: percent-encode special characters of the password (@ is %40, / is %2F, # is %23)"
	err := postgres.Check(url.Reveal())
	unknown, isUnknown := errors.AsType[*postgres.ParameterError](err)
	invalid, isInvalid := errors.AsType[*postgres.ValueError](err)
	switch {
	case strings.Contains(url.Reveal(), "://") && strings.TrimSpace(url.Reveal()) != url.Reveal():
		return advice("begins or ends with a blank or a line break: remove it")
	case isUnknown:
		return advice(unknown.Error())
	case splitsPassword(url.Reveal()):
		return advice(escape)
	case isInvalid:
		return advice(invalid.Error())
	case err == nil:
		return nil
	}
	scheme, _, found := strings.Cut(url.Reveal(), "://")
	if found && !strings.ContainsAny(scheme, "= ") && scheme != "postgres" && scheme != "postgresql" {
		return problem("has another URL scheme")
	}
	if found {
		return advice(escape)
	}
	return problem("cannot be parsed")
}

// splitsPassword reports whether a URL has an @ after its host. The cause is a password
// such as p@ss/word: its parts would be taken for host and database and appear in errors.
func splitsPassword(url string) bool {
	_, rest, isURL := strings.Cut(url, "://")
	rest, _, _ = strings.Cut(rest, "?")
	_, path, _ := strings.Cut(rest, "/")
	return isURL && strings.Contains(path, "@")
}

func checkAddr(addr string) error {
	if addr == off {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		if _, err := strconv.ParseUint(addr, 10, 16); err == nil {
			return advice(fmt.Sprintf("is a port without an address: use 127.0.0.1:%[1]s for this machine only, :%[1]s for all addresses, or off", addr))
		}
		return problem("is not host:port")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return problem("has no port from 0 to 65535")
	}
	return nil
}

// checkHosts allows names and addresses as they appear in a Host header, without a port.
func checkHosts(hosts []string) error {
	notInHost := func(r rune) bool {
		return r > '~' || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._", r)
	}
	for i, host := range hosts {
		host = strings.TrimSpace(host)
		if _, err := netip.ParseAddr(host); err != nil && (host == "" || strings.ContainsFunc(host, notInHost)) {
			return problem(fmt.Sprintf("has an invalid entry %d", i+1))
		}
	}
	return nil
}

// checkToken allows what an Authorization header can carry, and rejects tokens that can
// be guessed.
func checkToken(token Secret) error {
	text := token.Reveal()
	switch {
	case text == "":
		return nil // unset
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return problem("contains a space, or a character outside visible ASCII")
	case len(text) < minToken:
		return problem("is too short")
	case len(text) > maxToken:
		return problem("is too long")
	default:
		return nil
	}
}
