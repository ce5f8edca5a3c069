package send

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// The form of a sealed secret, byte by byte:
//
//	1      version, 1
//	4      id of the key: the first bytes of the SHA-256 of keyIDDomain and the key
//	12     nonce, random
//	n      AES-256-GCM of the signing key
//	16     tag
//
// Authenticated with it: version, id of the key, and the hook's id in 8 bytes, big
// endian, so that a secret opens in the row that it was sealed for and in no other.
const (
	sealVersion  = 1
	sealKeyBytes = 32
	sealHeader   = 1 + keyIDBytes
	keyIDBytes   = 4
	keyIDDomain  = "hooktail secret key id\x00"
)

// What a SecretError wraps.
var (
	ErrNoSecretKey    = errors.New("there is no key for secrets: set HOOKTAIL_SECRET_KEY, or HOOKTAIL_SECRET_KEY_FILE, to 32 random bytes in base64 or hex")
	ErrOtherSecretKey = errors.New("it was sealed with another key than those of HOOKTAIL_SECRET_KEY")
	ErrDamagedSecret  = errors.New("it is damaged, or was sealed for another hook")
)

// SecretError is a hook's secret that cannot be sealed or opened. It never shows
// the secret.
type SecretError struct {
	Hook int64
	Verb string // seal or open
	Err  error  // is ErrNoSecretKey, ErrOtherSecretKey or ErrDamagedSecret
}

func (e *SecretError) Error() string {
	return fmt.Sprintf("%s the secret of hook %d: %v", e.Verb, e.Hook, e.Err)
}

// Unwrap is why.
func (e *SecretError) Unwrap() error { return e.Err }

// Keyring encrypts the secrets of hooks, for the table that they are kept in. The
// zero Keyring has no key and refuses. It prints as ***, is immutable and safe for
// concurrent use.
type Keyring struct {
	masked
	keys []*sealingKey // the first one seals, all of them open
}

type sealingKey struct {
	id   [keyIDBytes]byte
	aead cipher.AEAD // with nonces of its own
}

// NewKeyring is a Keyring of keys of 32 bytes. The first one seals; the others are
// former ones, which open what was sealed with them.
func NewKeyring(keys ...[]byte) (Keyring, error) {
	var ring Keyring
	for _, key := range keys {
		if len(key) != sealKeyBytes {
			return Keyring{}, fmt.Errorf("make keyring: a key has %d bytes, not %d", sealKeyBytes, len(key))
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return Keyring{}, fmt.Errorf("make keyring: %w", err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return Keyring{}, fmt.Errorf("make keyring: %w", err)
		}
		ring.keys = append(ring.keys, &sealingKey{id: keyID(key), aead: aead})
	}
	return ring, nil
}

func keyID(key []byte) [keyIDBytes]byte {
	sum := sha256.Sum256(append([]byte(keyIDDomain), key...))
	return [keyIDBytes]byte(sum[:keyIDBytes])
}

// Seal is the key encrypted for the row of the hook. Its error is a *SecretError.
func (r Keyring) Seal(hook int64, key SigningKey) ([]byte, error) {
	if len(r.keys) == 0 {
		return nil, &SecretError{Hook: hook, Verb: "seal", Err: ErrNoSecretKey}
	}
	current := r.keys[0]
	header := append([]byte{sealVersion}, current.id[:]...)
	return current.aead.Seal(header, nil, *key.state.key, bound(header, hook)), nil
}

// Open is the key that Seal encrypted for the row of the hook, by any key of the
// Keyring. Its error is a *SecretError.
func (r Keyring) Open(hook int64, sealed []byte) (SigningKey, error) {
	fail := func(err error) (SigningKey, error) {
		return SigningKey{}, &SecretError{Hook: hook, Verb: "open", Err: err}
	}
	if len(r.keys) == 0 {
		return fail(ErrNoSecretKey)
	}
	if len(sealed) < sealHeader || sealed[0] != sealVersion {
		return fail(ErrDamagedSecret)
	}
	header, rest := sealed[:sealHeader], sealed[sealHeader:]
	for _, k := range r.keys {
		if !bytes.Equal(header[1:], k.id[:]) {
			continue
		}
		key, err := k.aead.Open(nil, nil, rest, bound(header, hook))
		if err != nil || len(key) < leastKey || len(key) > mostKey {
			return fail(ErrDamagedSecret)
		}
		return signingKey(key), nil
	}
	return fail(fmt.Errorf("%w (id %x)", ErrOtherSecretKey, header[1:]))
}

// IsSealed reports whether the bytes have the form of what Seal returns. Whether a key
// opens them is not known.
func IsSealed(sealed []byte) bool {
	const nonce, tag = 12, 16 // of AES-GCM
	return len(sealed) >= sealHeader+nonce+leastKey+tag && sealed[0] == sealVersion
}

// Outdated reports whether the secret was sealed with another key than Seal uses
// now: open it and seal it again, and the former key can go.
func (r Keyring) Outdated(sealed []byte) bool {
	return len(r.keys) > 0 && len(sealed) >= sealHeader && !bytes.Equal(sealed[1:sealHeader], r.keys[0].id[:])
}

// bound is what is authenticated together with the hook's secret.
func bound(header []byte, hook int64) []byte {
	return binary.BigEndian.AppendUint64(bytes.Clone(header), uint64(hook))
}
