package wiring

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/natslog"
)

// refusedLogin names the variable and the remedy if a server of the log does not accept the
// credentials; "" if they are not the problem. Other errors may pass.
func refusedLogin(cfg config.Config, err error) string {
	switch {
	case errors.Is(err, nats.ErrNkeysNotSupported):
		return "HOOKTAIL_NATS_NKEY: the NATS server has no users with NKeys: add the user to the server's configuration, or set HOOKTAIL_NATS_CREDS"
	case !natslog.IsLoginRefused(err):
		return ""
	case cfg.NATSNKey.Reveal() != "":
		return "HOOKTAIL_NATS_NKEY: the NATS server refuses the NKey: add its public key to the server's users, or use another seed"
	case cfg.NATSCreds.Reveal() != "":
		if expired := expiry(cfg.NATSCreds.Reread().Reveal()); !expired.IsZero() && expired.Before(time.Now()) {
			return fmt.Sprintf("HOOKTAIL_NATS_CREDS: the credentials expired at %s: create new ones, for example with `nsc generate creds`", expired.UTC().Format(time.RFC3339))
		}
		return "HOOKTAIL_NATS_CREDS: the NATS server refuses the credentials: use those of a user of one of its accounts"
	case strings.Contains(cfg.NATSURL.Reveal(), "@"):
		return "HOOKTAIL_NATS_URL: the NATS server refuses user and password: correct them in the URL"
	default:
		return "HOOKTAIL_NATS_URL: the NATS server requires a login: set HOOKTAIL_NATS_CREDS or HOOKTAIL_NATS_NKEY, or put user and password into the URL"
	}
}

// expiry returns when the JWT of a credentials file expires; the zero time: never, or
// unknown.
func expiry(credentials string) time.Time {
	var claims struct {
		Expires int64 `json:"exp"`
	}
	token, err := nkeys.ParseDecoratedJWT([]byte(credentials))
	if err != nil {
		return time.Time{}
	}
	_, rest, _ := strings.Cut(token, ".")
	body, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil || json.Unmarshal(text, &claims) != nil || claims.Expires == 0 {
		return time.Time{}
	}
	return time.Unix(claims.Expires, 0)
}

// refusedTLS is refusedLogin for TLS, in both directions.
func refusedTLS(err error) string {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var remote *net.OpError
	switch {
	case errors.Is(err, nats.ErrSecureConnWanted):
		return "HOOKTAIL_NATS_URL: the NATS server has no TLS: enable it on the server, or use nats:// without HOOKTAIL_NATS_CA and HOOKTAIL_NATS_CERT"
	case errors.As(err, &name):
		return "HOOKTAIL_NATS_URL: the certificate of the NATS server is for another name: use a name that the certificate contains"
	case errors.As(err, &authority):
		return "HOOKTAIL_NATS_CA: the certificate of the NATS server is signed by an unknown authority: set HOOKTAIL_NATS_CA to the authority's certificate"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "HOOKTAIL_NATS_URL: the certificate of the NATS server has expired or is not valid yet: renew it, or correct the clock of this machine"
	case errors.As(err, &invalid):
		return fmt.Sprintf("HOOKTAIL_NATS_CA: the certificate of the NATS server is invalid (%v): replace it", invalid)
	case errors.As(err, &remote) && remote.Op == "remote error": // an alert of TLS
		return fmt.Sprintf("HOOKTAIL_NATS_CERT: the NATS server refuses the connection (%v): set HOOKTAIL_NATS_CERT and HOOKTAIL_NATS_KEY to a certificate that it trusts", remote.Err)
	}
	return ""
}
