package natslog

import (
	"net/url"
	"strings"
)

// redacted is an error with another text.
type redacted struct {
	text string
	err  error // may show a secret
}

func (r *redacted) Error() string { return r.text }

// Unwrap is for errors.Is and errors.As.
func (r *redacted) Unwrap() error { return r.err }

// redact hides the credentials of the URL in the error's text: the client may quote them.
func redact(err error, urls string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	clean := text
	for one := range strings.SplitSeq(urls, ",") {
		u, parseErr := url.Parse(strings.TrimSpace(one))
		if parseErr != nil {
			clean = strings.ReplaceAll(clean, strings.TrimSpace(one), "***")
			continue
		}
		if u.User == nil {
			continue
		}
		password, _ := u.User.Password()
		for _, secret := range []string{u.User.String(), password, u.User.Username()} {
			if secret != "" {
				clean = strings.ReplaceAll(clean, secret, "***")
			}
		}
	}
	if clean == text {
		return err
	}
	return &redacted{clean, err}
}
