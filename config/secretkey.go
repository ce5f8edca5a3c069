package config

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
)

// secretKeyBytes is the length of an AES-256 key.
const secretKeyBytes = 32

// SecretKeys returns the keys in SECRET_KEY, 32 bytes each. The first one encrypts. It
// returns none if the variable is unset.
func (c Config) SecretKeys() [][]byte {
	keys, _ := parseSecretKeys(c.SecretKey) // Load has checked it
	return keys
}

// parseSecretKeys reads keys separated by commas, blanks or line breaks.
func parseSecretKeys(text Secret) ([][]byte, error) {
	entries := strings.FieldsFunc(text.Reveal(), func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	if len(entries) == 0 && text.Reveal() != "" {
		return nil, problem("has no key")
	}
	var keys [][]byte
	for i, entry := range entries {
		key, err := hex.DecodeString(entry)
		if err != nil {
			key, err = base64.StdEncoding.DecodeString(entry)
		}
		switch {
		case err != nil:
			return nil, problem(fmt.Sprintf("has an invalid entry %d (neither base64 nor hex)", i+1))
		case len(key) != secretKeyBytes:
			return nil, problem(fmt.Sprintf("has an invalid entry %d (%d bytes, not %d)", i+1, len(key), secretKeyBytes))
		}
		keys = append(keys, key)
	}
	return keys, nil
}
