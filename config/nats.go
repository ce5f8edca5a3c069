package config

import (
	"net/url"
	"strconv"
	"strings"
	"time"
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

const always = "always"

// UnmarshalText parses a duration or "always".
func (s *Sync) UnmarshalText(text []byte) error {
	if string(text) == always {
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

// String returns a text that UnmarshalText parses.
func (s Sync) String() string {
	if s == 0 {
		return always
	}
	return time.Duration(s).String()
}

// needsNATS refuses what is used but works only with a log.
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
