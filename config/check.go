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

// check returns what is wrong with the variable's value, apart from its type, without
// showing the value; nil if it is valid. Every variable has a case.
func (c *Config) check(name string) error {
	switch name {
	case "DATABASE_URL":
		return checkDatabaseURL(c.DatabaseURL)
	case "SLOT":
		return checkSlot(c.Slot)
	case "PUBLICATION":
		return checkName(c.Publication)
	case "STATE_SCHEMA":
		return checkName(c.StateSchema)
	case "SOURCE_SCHEMA":
		return checkName(c.SourceSchema)
	case "PROJECT_TABLE":
		return checkName(c.ProjectTable)
	case "TASK_TABLE":
		return checkName(c.TaskTable)
	case "ANNOTATION_TABLE":
		return checkName(c.AnnotationTable)
	case "WEBHOOK_TABLE":
		return checkName(c.WebhookTable)
	case "WEBHOOK_ACTION_TABLE":
		return checkName(c.WebhookActionTable)
	case "PROFILE":
		return oneOf(c.Profile, Guide, Native)
	case "SETTLE":
		return within(c.Settle, 0, time.Minute)
	case "SEND_SECRETS", "EGRESS", "NATS_SYNC":
		return nil // the type checks everything
	case "DELETED":
		return oneOf(c.Deleted, DeletedID, DeletedRow)
	case "DELIVER":
		return oneOf(c.Deliver, DeliverActive, DeliverAdopted, DeliverBoth)
	case "ADOPT_OVERLAP":
		return within(c.AdoptOverlap, 0, 10*time.Minute)
	case "TIMEOUT":
		return within(c.Timeout, 1, maxTime)
	case "MAX_ATTEMPTS":
		return within(c.MaxAttempts, 0, math.MaxInt)
	case "RETRY_FOR":
		return within(c.RetryFor, 1, maxTime)
	case "HOOK_CONCURRENCY":
		return within(c.HookConcurrency, 1, 1000)
	case "CONCURRENCY":
		return within(c.Concurrency, 1, 10000)
	case "NATS_URL":
		return checkNATS(c.NATSURL)
	case "NATS_CA":
		return c.checkNATSPEM(c.NATSCA, checkCertificates(c.NATSCA))
	case "NATS_CERT":
		return c.checkNATSPEM(c.NATSCert, checkCertificates(c.NATSCert))
	case "NATS_KEY":
		return c.checkNATSPEM(c.NATSKey, natsPEM.checkKey(c.NATSCert, c.NATSKey))
	case "NATS_CREDS":
		return c.checkCreds()
	case "NATS_NKEY":
		return c.checkNKey()
	case "ROLE":
		return checkRole(c.Role, c.NATSURL)
	case "NATS_REPLICAS":
		return oneOf(c.NATSReplicas, 1, 3, 5)
	case "KEEP":
		return checkKeep(c.Keep, c.NATSURL)
	case "TOPIC":
		return checkTopic(c.Topic, c.NATSURL)
	case "PARK_MAX_BYTES":
		return within(c.ParkMaxBytes, minPark, math.MaxInt64)
	case "DEAD_RETENTION":
		return within(c.DeadRetention, time.Hour, maxTime)
	case "SECRET_KEY":
		return checkSecretKey(c.SecretKey)
	case "TLS_CA":
		return checkCertificates(c.TLSCA)
	case "TLS_CERT":
		return checkCertificates(c.TLSCert)
	case "TLS_KEY":
		return receiverPEM.checkKey(c.TLSCert, c.TLSKey)
	case "PROXY":
		return checkProxy(c.Proxy)
	case "MEMORY":
		return within(c.Memory, minMemory, math.MaxInt64)
	case "GRACE":
		return within(c.Grace, 0, maxTime)
	case "HTTP_ADDR":
		return checkAddr(c.HTTPAddr)
	case "HTTP_HOSTS":
		return checkHosts(c.HTTPHosts)
	case "ADMIN_TOKEN":
		return checkToken(c.AdminToken)
	case "LOG_LEVEL":
		return oneOf(c.LogLevel, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError)
	case "LOG_FORMAT":
		return oneOf(c.LogFormat, LogText, LogJSON)
	default:
		panic("config: no check for the variable " + name)
	}
}

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
