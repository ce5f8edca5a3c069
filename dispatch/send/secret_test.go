package send

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustKeyring(t testing.TB, keys ...[]byte) Keyring {
	t.Helper()
	ring, err := NewKeyring(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// keyOf is a key of 32 times the byte.
func keyOf(b byte) []byte { return bytes.Repeat([]byte{b}, sealKeyBytes) }

func TestSealAndOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ring, err := NewKeyring(rapid.SliceOfN(rapid.Byte(), sealKeyBytes, sealKeyBytes).Draw(t, "key"))
		if err != nil {
			t.Fatal(err)
		}
		hook := rapid.Int64().Draw(t, "hook")
		want := signingKey(rapid.SliceOfN(rapid.Byte(), leastKey, mostKey).Draw(t, "secret"))
		sealed, err := ring.Seal(hook, want)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(sealed, *want.state.key) {
			t.Fatal("the secret is there to be read")
		}
		got, err := ring.Open(hook, sealed)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Equal(want) {
			t.Fatal("another secret was opened")
		}
	})
}

// No bit can change, nothing can be cut or added, and no other row can have it.
func TestOpenNoticesEveryChange(t *testing.T) {
	ring := mustKeyring(t, keyOf(1))
	sealed, err := ring.Seal(7, NewSigningKey())
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(sealed) {
		changed := bytes.Clone(sealed)
		changed[bit/8] ^= 1 << (bit % 8)
		if _, err := ring.Open(7, changed); !errors.Is(err, ErrDamagedSecret) && !errors.Is(err, ErrOtherSecretKey) {
			t.Errorf("bit %d: error %v", bit, err)
		}
	}
	for n := range len(sealed) {
		if _, err := ring.Open(7, sealed[:n]); !errors.Is(err, ErrDamagedSecret) {
			t.Errorf("the first %d bytes: error %v", n, err)
		}
	}
	if _, err := ring.Open(7, append(bytes.Clone(sealed), 0)); !errors.Is(err, ErrDamagedSecret) {
		t.Errorf("a byte more: error %v", err)
	}
	if _, err := ring.Open(8, sealed); !errors.Is(err, ErrDamagedSecret) {
		t.Errorf("in another row: error %v", err)
	}
}

func TestSealingTwiceDiffers(t *testing.T) {
	ring, key := mustKeyring(t, keyOf(1)), NewSigningKey()
	a, errA := ring.Seal(7, key)
	b, errB := ring.Seal(7, key)
	if errA != nil || errB != nil || bytes.Equal(a, b) {
		t.Errorf("%x, %v and %x, %v", a, errA, b, errB)
	}
}

func TestSecretErrors(t *testing.T) {
	sealed, err := mustKeyring(t, keyOf(1)).Seal(7, signingKey([]byte(strings.Repeat("hush", 8))))
	if err != nil {
		t.Fatal(err)
	}
	_, withoutKey := Keyring{}.Seal(7, NewSigningKey())
	_, notOpened := Keyring{}.Open(7, sealed)
	_, wrongKey := mustKeyring(t, keyOf(2)).Open(7, sealed)
	_, otherRow := mustKeyring(t, keyOf(1)).Open(70, sealed)
	for _, tt := range []struct {
		name string
		err  error
		is   error
		want string
	}{
		{"seal without a key", withoutKey, ErrNoSecretKey, "seal the secret of hook 7: there is no key for secrets: set HOOKTAIL_SECRET_KEY, or HOOKTAIL_SECRET_KEY_FILE, to 32 random bytes in base64 or hex"},
		{"open without a key", notOpened, ErrNoSecretKey, "open the secret of hook 7: there is no key for secrets: set HOOKTAIL_SECRET_KEY, or HOOKTAIL_SECRET_KEY_FILE, to 32 random bytes in base64 or hex"},
		{"another key", wrongKey, ErrOtherSecretKey, "open the secret of hook 7: it was encrypted with another key than those in HOOKTAIL_SECRET_KEY (id " + hex.EncodeToString(sealed[1:5]) + ")"},
		{"another row", otherRow, ErrDamagedSecret, "open the secret of hook 70: it is damaged, or was encrypted for another hook"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			secret, ok := errors.AsType[*SecretError](tt.err)
			if !ok || !errors.Is(tt.err, tt.is) || secret.Hook%63 != 7 {
				t.Fatalf("error %#v", tt.err)
			}
			if tt.err.Error() != tt.want {
				t.Errorf("error %q, want %q", tt.err, tt.want)
			}
		})
	}
}

// The key is changed without a moment in which a secret cannot be opened.
func TestKeysAreRotated(t *testing.T) {
	former, key := mustKeyring(t, keyOf(1)), NewSigningKey()
	sealed, err := former.Seal(7, key)
	if err != nil {
		t.Fatal(err)
	}
	both := mustKeyring(t, keyOf(2), keyOf(1))
	opened, err := both.Open(7, sealed)
	if err != nil || !opened.Equal(key) {
		t.Fatalf("opened with the former key: %v", err)
	}
	if former.Outdated(sealed) || !both.Outdated(sealed) {
		t.Error("what is to be sealed again is not told from what is not")
	}
	again, err := both.Seal(7, opened)
	if err != nil {
		t.Fatal(err)
	}
	if both.Outdated(again) {
		t.Error("what was sealed again is outdated")
	}
	if opened, err = mustKeyring(t, keyOf(2)).Open(7, again); err != nil || !opened.Equal(key) {
		t.Errorf("opened without the former key: %v", err)
	}
}

// The form of what is stored is the one that is written down: what was stored opens
// with every later version.
func TestSealedForm(t *testing.T) {
	stored, err := hex.DecodeString("01" + "19851992" + "000102030405060708090a0b" + sealedSpecimen)
	if err != nil {
		t.Fatal(err)
	}
	key, err := mustKeyring(t, keyOf(1)).Open(7, stored)
	if err != nil {
		t.Fatal(err)
	}
	if key.Reveal() != specimen {
		t.Errorf("opened %s", key.Reveal())
	}

	// Sealed here, step by step.
	sum := sha256.Sum256(append([]byte("hooktail secret key id\x00"), keyOf(1)...))
	header := append([]byte{1}, sum[:4]...)
	block, err := aes.NewCipher(keyOf(1))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	text := gcm.Seal(nil, nonce, *mustSigningKey(t, specimen).state.key, append(bytes.Clone(header), 0, 0, 0, 0, 0, 0, 0, 7))
	if want := bytes.Join([][]byte{header, nonce, text}, nil); !bytes.Equal(stored, want) {
		t.Errorf("stored %x, want %x", stored, want)
	}
}

// sealedSpecimen is the specimen, sealed for hook 7 by the key of 32 times 1, as
// Node.js and Python's cryptography make it.
const sealedSpecimen = "8a5405d09ff82ff35525ef101c56c08f588ec8682fbce1b0dcdfae71c1bdd289454c755fb993c5ac"

func TestNewKeyringRefuses(t *testing.T) {
	for _, n := range []int{0, 16, 24, 31, 33} {
		if _, err := NewKeyring(keyOf(1), make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes is accepted", n)
		}
	}
}

// Outdated reports whether the secret was encrypted with another key than Seal uses now.
// After opening and sealing it again, the former key can be removed.
func (r Keyring) Outdated(sealed []byte) bool {
	return len(r.keys) > 0 && len(sealed) >= sealHeader && !bytes.Equal(sealed[1:sealHeader], r.keys[0].id[:])
}

// Equal reports whether both are the same key.
func (k SigningKey) Equal(other SigningKey) bool { return k.Reveal() == other.Reveal() }
