package send

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"sync"

	"github.com/hooktail/hooktail/mapping"
)

// The form of a signing key, and its length in bytes.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme
const (
	keyPrefix = "whsec_"
	leastKey  = 24
	mostKey   = 64
)

// maxSigningKeys is the maximum number of a hook's keys: the current one, and the
// previous one until all receivers know the current one.
const maxSigningKeys = 2

// SigningKey is a secret shared by a hook and its receivers. It prints as ***. It is safe
// for concurrent use. The zero SigningKey cannot sign.
type SigningKey struct {
	masked
	state *keyState
}

// keyState is a key with its unused signers.
type keyState struct {
	key     *[]byte   // package fmt follows one pointer, but not two
	signers sync.Pool // of *signer
}

// signer is a keyed HMAC with its buffers.
type signer struct {
	mac hash.Hash
	buf []byte
}

// NewSigningKey returns a new random key.
func NewSigningKey() SigningKey {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return signingKey(key)
}

func signingKey(key []byte) SigningKey {
	s := &keyState{key: &key}
	s.signers.New = func() any { return &signer{mac: hmac.New(sha256.New, key)} }
	return SigningKey{state: s}
}

// Reveal returns the key as whsec_ and base64, only for its receiver. It is empty for the
// zero SigningKey.
func (k SigningKey) Reveal() string {
	if k.state == nil {
		return ""
	}
	return keyPrefix + base64.StdEncoding.EncodeToString(*k.state.key)
}

// Rotate puts the next key before the current one, which remains in use until the next
// rotation. The previous one is dropped.
func Rotate(keys []SigningKey, next SigningKey) []SigningKey {
	rotated := append([]SigningKey{next}, keys...)
	return rotated[:min(len(rotated), maxSigningKeys)]
}

// signatureHeader contains the signatures of a request.
const signatureHeader = "webhook-signature"

// Sign returns the value of webhook-signature: one signature per key, at most two,
// separated by a blank. Each is v1, and the HMAC-SHA256 of id.timestamp.body in base64.
// The timestamp is the text of webhook-timestamp: seconds since 1970. Without a key it is
// empty.
func Sign(keys []SigningKey, id, timestamp string, body mapping.Body) string {
	const each = len(" v1,") + (sha256.Size+2)/3*4
	var room [maxSigningKeys * each]byte
	out := room[:0]
	for i, key := range keys[:min(len(keys), maxSigningKeys)] {
		if i > 0 {
			out = append(out, ' ')
		}
		out = key.state.appendSignature(out, id, timestamp, body)
	}
	return string(out)
}

func (k *keyState) appendSignature(out []byte, id, timestamp string, body mapping.Body) []byte {
	s := k.signers.Get().(*signer)
	defer k.signers.Put(s)
	s.buf = append(s.buf[:0], id...)
	s.buf = append(s.buf, '.')
	s.buf = append(s.buf, timestamp...)
	s.buf = append(s.buf, '.')
	s.mac.Reset()
	_, _ = s.mac.Write(s.buf) // a hash never fails
	for piece := range body.Pieces() {
		_, _ = s.mac.Write(piece)
	}
	s.buf = s.mac.Sum(s.buf[:0])
	out = append(out, "v1,"...)
	return base64.StdEncoding.AppendEncode(out, s.buf)
}
