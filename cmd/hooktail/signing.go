package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/parking"
)

// signing is the keys that hooks' requests are signed with, as the settings say. One
// goroutine calls update; of is safe for concurrent use.
type signing struct {
	ring    dispatch.Keyring
	keyed   bool // the ring has a key
	log     *slog.Logger
	current atomic.Pointer[map[int64]hookKeys]
}

// hookKeys is one hook's.
type hookKeys struct {
	sealed [][]byte
	keys   []dispatch.SigningKey
	err    error // they cannot be opened
}

func newSigning(cfg config.Config, log *slog.Logger) (*signing, error) {
	ring, err := dispatch.NewKeyring(cfg.SecretKeys()...)
	if err != nil {
		return nil, &config.Error{Err: fmt.Errorf("HOOKTAIL_SECRET_KEY: %w", err)}
	}
	s := &signing{ring: ring, keyed: len(cfg.SecretKeys()) > 0, log: log}
	s.current.Store(&map[int64]hookKeys{})
	return s, nil
}

// of is the keys of the hook: none if it has no secret, and an error if it has one
// that cannot be opened.
func (s *signing) of(hook int64) ([]dispatch.SigningKey, error) {
	h := (*s.current.Load())[hook]
	return h.keys, h.err
}

// update takes the secrets of all settings. It logs what is wrong with them, once.
func (s *signing) update(settings []parking.Setting) {
	before := *s.current.Load()
	next := make(map[int64]hookKeys)
	for _, setting := range settings {
		if len(setting.Secrets) == 0 {
			continue
		}
		h, known := before[setting.Hook]
		if !known || !slices.EqualFunc(h.sealed, setting.Secrets, bytes.Equal) {
			h = s.open(setting)
			if h.err != nil {
				s.log.Error("Webhook refused: nothing can be sent to it unsigned",
					"hook", setting.Hook, "reason", dispatch.ReasonBadSecret.String(), "error", h.err)
			}
		}
		next[setting.Hook] = h
	}
	s.current.Store(&next)
}

// open opens the hook's secrets, all of them: a receiver may know either.
func (s *signing) open(setting parking.Setting) hookKeys {
	h := hookKeys{sealed: setting.Secrets}
	for _, sealed := range setting.Secrets {
		key, err := s.ring.Open(setting.Hook, sealed)
		if err != nil {
			return hookKeys{sealed: setting.Secrets, err: err}
		}
		h.keys = append(h.keys, key)
	}
	return h
}

// check is an error if there are secrets, and nothing to open them with. What nobody has
// sealed is no secret: it refuses its hook alone.
func (s *signing) check(settings []parking.Setting) error {
	for _, setting := range settings {
		if slices.ContainsFunc(setting.Secrets, dispatch.IsSealed) && !s.keyed {
			return &config.Error{Err: fmt.Errorf("hook %d has a signing secret: %w", setting.Hook, dispatch.ErrNoSecretKey)}
		}
	}
	return nil
}
