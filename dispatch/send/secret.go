package send

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// The format of an encrypted secret, in bytes:
//
//	1      version, 1
//	4      id of the key: the first bytes of the SHA-256 of keyIDDomain and the key
//	12     nonce, random
//	n      AES-256-GCM of the signing key
//	16     tag
//
// Version, id of the key, and the hook's id in 8 bytes, big endian, are authenticated
// with it, so that a secret can only be decrypted in the row of its hook.
const (
	sealVersion  = 1
	sealKeyBytes = 32
	sealHeader   = 1 + keyIDBytes
	keyIDBytes   = 4
	keyIDDomain  = "hooktail secret key id\x00"
)

// Errors wrapped by a SecretError.
var (
	ErrNoSecretKey    = errors.New("there is no key for secrets: set HOOKTAIL_SECRET_KEY, or HOOKTAIL_SECRET_KEY_FILE, to 32 random bytes in base64 or hex")
	ErrOtherSecretKey = errors.New("it was encrypted with another key than those in HOOKTAIL_SECRET_KEY")
	ErrDamagedSecret  = errors.New("it is damaged, or was encrypted for another hook")
)

// SecretError is the error of encrypting or decrypting a hook's secret. It never shows
// the secret.
type SecretError struct {
	Hook int64
	Verb string // seal or open
	Err  error  // ErrNoSecretKey, ErrOtherSecretKey or ErrDamagedSecret
}

func (e *SecretError) Error() string {
	return fmt.Sprintf("%s the secret of hook %d: %v", e.Verb, e.Hook, e.Err)
}

// Unwrap returns the reason.
func (e *SecretError) Unwrap() error { return e.Err }

// Keyring encrypts the secrets of hooks for storage. The zero Keyring has no key and
// returns errors. It prints as ***, is immutable and safe for concurrent use.
type Keyring struct {
	masked
	keys []*sealingKey // the first one encrypts, all of them decrypt
}

type sealingKey struct {
	id   [keyIDBytes]byte
	aead cipher.AEAD // generates its own nonces
}

// NewKeyring returns a Keyring with keys of 32 bytes. The first one encrypts; the others
// are former keys, which decrypt what they have encrypted.
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

// Seal encrypts the key for the row of the hook. Its error is a *SecretError.
func (r Keyring) Seal(hook int64, key SigningKey) ([]byte, error) {
	if len(r.keys) == 0 {
		return nil, &SecretError{Hook: hook, Verb: "seal", Err: ErrNoSecretKey}
	}
	current := r.keys[0]
	header := append([]byte{sealVersion}, current.id[:]...)
	return current.aead.Seal(header, nil, *key.state.key, bound(header, hook)), nil
}

// Open decrypts the result of Seal for the row of the hook, with any key of the Keyring.
// Its error is a *SecretError.
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

// IsSealed reports whether the bytes have the format of Seal's results. They may still be
// undecipherable.
func IsSealed(sealed []byte) bool {
	const nonce, tag = 12, 16 // of AES-GCM
	return len(sealed) >= sealHeader+nonce+leastKey+tag && sealed[0] == sealVersion
}

// bound returns the data that is authenticated with the hook's secret.
func bound(header []byte, hook int64) []byte {
	return binary.BigEndian.AppendUint64(bytes.Clone(header), uint64(hook))
}

// masked is embedded in types that hold a secret: every verb of package fmt, every
// handler of log/slog and every encoder of text show *** instead. The type must keep its
// secret behind a pointer, because fmt does not call methods of values in unexported
// fields.
type masked struct{}

const mask = "***"

// String returns ***.
func (masked) String() string { return mask }

// GoString returns ***.
func (masked) GoString() string { return mask }

// Format writes *** for every verb.
func (masked) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, mask) }

// LogValue returns ***.
func (masked) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText returns ***.
func (masked) MarshalText() ([]byte, error) { return []byte(mask), nil }
