package config

import (
	"crypto/tls"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nkeys"
)

// Role selects the parts of hooktail that an instance runs, if deliveries go over a log.
type Role string

// The roles.
const (
	RoleBoth   Role = "both"
	RoleReader Role = "reader" // reads the slot and writes the log
	RoleSender Role = "sender" // reads the log and delivers
)

// Reads reports whether the instance may read the slot.
func (r Role) Reads() bool { return r != RoleSender }

// Sends reports whether the instance delivers.
func (r Role) Sends() bool { return r != RoleReader }

// Sync is the interval at which the NATS servers sync their files; 0: before they acknowledge
// each message.
type Sync time.Duration

// UnmarshalText parses a duration or "always".
func (s *Sync) UnmarshalText(text []byte) error {
	if string(text) == "always" {
		*s = 0
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil {
		if _, err := strconv.ParseFloat(string(text), 64); err == nil {
			return problem("has no unit")
		}
		return problem("is not a duration")
	}
	if d <= 0 {
		return problem("is too small")
	}
	*s = Sync(d)
	return nil
}

func (c *Config) needsNATS(used bool) error {
	if used && c.NATSURL.Reveal() == "" {
		return advice("needs HOOKTAIL_NATS_URL, which is not set")
	}
	return nil
}

// checkNATS accepts the URLs that the client accepts: servers of one cluster, separated by
// commas.
func checkNATS(urls Secret) error {
	if urls.Reveal() == "" {
		return nil // not set
	}
	for one := range strings.SplitSeq(urls.Reveal(), ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		switch {
		case err != nil, u.Hostname() == "":
			return advice("cannot be parsed: percent-encode special characters of the password (@ is %40, / is %2F, # is %23)")
		case u.Scheme != "nats" && u.Scheme != "tls":
			return problem("has another URL scheme")
		}
	}
	return nil
}

// NATSTLS returns the settings for connections to NATS, from NATS_CA, NATS_CERT and
// NATS_KEY; nil if all are unset. The system's certificate authorities are trusted as
// well.
func (c Config) NATSTLS() (*tls.Config, error) {
	return natsPEM.client(c.NATSCA, c.NATSCert, c.NATSKey)
}

func (c *Config) checkNATSOnly(value Secret) error {
	if value.Reveal() != "" && c.NATSURL.Reveal() == "" {
		return advice("is set, but " + Prefix + "NATS_URL is not: set both, or neither")
	}
	return nil
}

// checkCreds accepts a credentials file: a user's JWT and seed, each between its markers.
func (c *Config) checkCreds() error {
	text := []byte(c.NATSCreds.Reveal())
	if len(text) == 0 {
		return nil
	}
	if err := c.checkLogin(c.NATSCreds); err != nil {
		return err
	}
	token, err := nkeys.ParseDecoratedJWT(text)
	isJWT := err == nil && strings.Count(token, ".") == 2 && !strings.Contains(token, "/")
	switch {
	case !isJWT && isPath(c.NATSCreds):
		return errPath
	case !isJWT:
		return problem("has no JWT")
	}
	pair, err := nkeys.ParseDecoratedUserNKey(text)
	if err != nil {
		return problem("has no seed of a user")
	}
	pair.Wipe()
	return nil
}

// checkNKey accepts the seed of a user.
func (c *Config) checkNKey() error {
	text := strings.TrimSpace(c.NATSNKey.Reveal())
	if text == "" {
		return nil
	}
	if err := c.checkLogin(c.NATSNKey); err != nil {
		return err
	}
	if c.NATSCreds.Reveal() != "" {
		return advice("is set together with " + Prefix + "NATS_CREDS: set one of them")
	}
	if isPath(c.NATSNKey) {
		return errPath
	}
	prefix, _, err := nkeys.DecodeSeed([]byte(text))
	switch {
	case err != nil:
		return problem("is not a seed")
	case prefix != nkeys.PrefixByteUser:
		return problem("is not the seed of a user")
	}
	return nil
}

// checkLogin rejects credentials without a server, or together with a user in the URL.
func (c *Config) checkLogin(value Secret) error {
	if err := c.checkNATSOnly(value); err != nil {
		return err
	}
	for one := range strings.SplitSeq(c.NATSURL.Reveal(), ",") {
		if u, err := url.Parse(strings.TrimSpace(one)); err == nil && u.User != nil {
			return advice("is set together with a user in " + Prefix + "NATS_URL: set one of them")
		}
	}
	return nil
}
