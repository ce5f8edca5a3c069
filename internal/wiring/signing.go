package wiring

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
)

// Signing holds the hooks' signing keys, from their settings. One goroutine calls Update;
// KeysOf is safe for concurrent use.
type Signing struct {
	Ring    send.Keyring
	Keyed   bool // the ring has a key
	log     *slog.Logger
	current atomic.Pointer[map[int64]HookKeys]
}

// HookKeys holds the keys of one hook.
type HookKeys struct {
	sealed [][]byte
	Keys   []send.SigningKey
	Err    error // error of decrypting them
}

// NewSigning returns a Signing without hooks. An invalid key in the configuration is a
// *config.Error.
func NewSigning(cfg config.Config, log *slog.Logger) (*Signing, error) {
	ring, err := send.NewKeyring(cfg.SecretKeys()...)
	if err != nil {
		return nil, &config.Error{Err: fmt.Errorf("HOOKTAIL_SECRET_KEY: %w", err)}
	}
	s := &Signing{Ring: ring, Keyed: len(cfg.SecretKeys()) > 0, log: log}
	s.current.Store(&map[int64]HookKeys{})
	return s, nil
}

// KeysOf returns the hook's keys: none if it has no secret, and an error if its secret
// cannot be decrypted.
func (s *Signing) KeysOf(hook int64) ([]send.SigningKey, error) {
	h := (*s.current.Load())[hook]
	return h.Keys, h.Err
}

// Update replaces the secrets by those in the settings. It logs each error once.
func (s *Signing) Update(settings []state.Setting) {
	before := *s.current.Load()
	next := make(map[int64]HookKeys)
	for _, setting := range settings {
		if len(setting.Secrets) == 0 {
			continue
		}
		h, known := before[setting.Hook]
		if !known || !slices.EqualFunc(h.sealed, setting.Secrets, bytes.Equal) {
			h = s.Open(setting)
			if h.Err != nil {
				s.log.Error("Webhook refused: hooktail does not send to it unsigned",
					"hook", setting.Hook, "reason", dispatch.ReasonBadSecret.String(), "error", h.Err)
			}
		}
		next[setting.Hook] = h
	}
	s.current.Store(&next)
}

// Open decrypts all secrets of the hook: a receiver may know any of them.
func (s *Signing) Open(setting state.Setting) HookKeys {
	h := HookKeys{sealed: setting.Secrets}
	for _, sealed := range setting.Secrets {
		key, err := s.Ring.Open(setting.Hook, sealed)
		if err != nil {
			return HookKeys{sealed: setting.Secrets, Err: err}
		}
		h.Keys = append(h.Keys, key)
	}
	return h
}

// Check returns an error if there are secrets but no key to decrypt them. Text that was
// never encrypted is not a secret: it only refuses its own hook.
func (s *Signing) Check(settings []state.Setting) error {
	for _, setting := range settings {
		if slices.ContainsFunc(setting.Secrets, send.IsSealed) && !s.Keyed {
			return &config.Error{Err: fmt.Errorf("hook %d has a signing secret: %w", setting.Hook, send.ErrNoSecretKey)}
		}
	}
	return nil
}
