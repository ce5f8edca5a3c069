package natslog

import (
	"errors"
	"net/url"
	"strings"
)

// redact is the error without the credentials of the URL: errors of the client may quote it.
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
		for _, secret := range []string{u.User.String(), u.User.Username()} {
			clean = strings.ReplaceAll(clean, secret, "***")
		}
		if password, ok := u.User.Password(); ok && password != "" {
			clean = strings.ReplaceAll(clean, password, "***")
		}
	}
	if clean == text {
		return err
	}
	return errors.New(clean)
}
