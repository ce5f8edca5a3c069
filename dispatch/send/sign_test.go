package send

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/mapping"
)

// specimen is a key that the documentation of the field uses.
const specimen = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func mustSigningKey(t testing.TB, text string) SigningKey {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, keyPrefix))
	if err != nil {
		t.Fatal(err)
	}
	return signingKey(key)
}

// The vector is that of the reference libraries of Standard Webhooks, the same in
// each of their languages.
func TestSignIsTheReference(t *testing.T) {
	keys := []SigningKey{mustSigningKey(t, specimen)}
	got := Sign(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", mapping.BodyOf([]byte(`{"test": 2432232314}`)))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestSignWithSeveralKeys(t *testing.T) {
	a, b, c := NewSigningKey(), NewSigningKey(), NewSigningKey()
	one := func(k SigningKey) string { return Sign([]SigningKey{k}, "1-2-3", "7", mapping.BodyOf([]byte("body"))) }
	for _, tt := range []struct {
		name string
		keys []SigningKey
		want string
	}{
		{"none", nil, ""},
		{"one", []SigningKey{a}, one(a)},
		{"two", []SigningKey{b, a}, one(b) + " " + one(a)},
		{"three", []SigningKey{c, b, a}, one(c) + " " + one(b)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Sign(tt.keys, "1-2-3", "7", mapping.BodyOf([]byte("body"))); got != tt.want {
				t.Errorf("signature %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRotate(t *testing.T) {
	a, b, c := NewSigningKey(), NewSigningKey(), NewSigningKey()
	keys := Rotate(nil, a)
	if len(keys) != 1 || !keys[0].Equal(a) {
		t.Error("the first key is not alone")
	}
	keys = Rotate(keys, b)
	if len(keys) != 2 || !keys[0].Equal(b) || !keys[1].Equal(a) {
		t.Error("the second key does not stand before the first")
	}
	keys = Rotate(keys, c)
	if len(keys) != 2 || !keys[0].Equal(c) || !keys[1].Equal(b) {
		t.Error("the third key does not push the first out")
	}
}

// Whatever is signed, by keys of any length, an independent implementation
// verifies, and nothing else.
func TestSignaturesAreVerifiedByTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := signingKey(rapid.SliceOfN(rapid.Byte(), leastKey, mostKey).Draw(t, "key"))
		other := signingKey(rapid.SliceOfN(rapid.Byte(), leastKey, mostKey).Draw(t, "other"))
		id := rapid.StringMatching(`[0-9]{1,3}-[0-9A-F]{1,16}-[0-9]{1,5}`).Draw(t, "id")
		at := strconv.FormatInt(rapid.Int64Range(0, 1<<40).Draw(t, "timestamp"), 10)
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		header := http.Header{}
		header.Set("webhook-id", id)
		header.Set("webhook-timestamp", at)
		header.Set("webhook-signature", Sign([]SigningKey{other, key}, id, at, mapping.BodyOf(body)))
		verifier, err := standardwebhooks.NewWebhook(key.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.VerifyIgnoringTimestamp(body, header); err != nil {
			t.Fatal(err)
		}
		if verifier.VerifyIgnoringTimestamp(append(body, 'x'), header) == nil {
			t.Fatal("another body is verified")
		}
	})
}

func TestNewSigningKey(t *testing.T) {
	a, b := NewSigningKey(), NewSigningKey()
	if a.Equal(b) {
		t.Error("two new keys are the same")
	}
	if !mustSigningKey(t, a.Reveal()).Equal(a) {
		t.Error("a new key is not read back")
	}
	if (SigningKey{}).Reveal() != "" {
		t.Error("no key reveals something")
	}
}

// What a receiver gets is signed with the keys of its hook, for the moment of the
// attempt.
func TestSenderSigns(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	receiver.Script("/h/2", dispatchtest.Status(500), dispatchtest.Status(200))
	old, current := NewSigningKey(), NewSigningKey()
	s := newTestSender(t, Options{Secrets: func(hook int64) ([]SigningKey, error) {
		if hook == 2 {
			return []SigningKey{current, old}, nil
		}
		return nil, nil
	}})
	for _, id := range []int64{1, 2, 2} {
		if out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(id, hookURL(receiver.URL, id))), testMessage); out.Status == 0 {
			t.Fatalf("outcome %+v", out)
		}
	}
	if header := receiver.Wait(t, "/h/1", 1)[0].Header; header["Webhook-Signature"] != nil {
		t.Errorf("signed without a key: %q", header["Webhook-Signature"])
	}
	for i, got := range receiver.Wait(t, "/h/2", 2) {
		for name, key := range map[string]SigningKey{"the current key": current, "the old key": old} {
			verifier, err := standardwebhooks.NewWebhook(key.Reveal())
			if err != nil {
				t.Fatal(err)
			}
			if err := verifier.Verify(got.Body, got.Header); err != nil { // the time as well
				t.Errorf("request %d, %s: %v", i+1, name, err)
			}
		}
	}
}

// Each attempt is signed for its own time, so that a retry of three days is not
// taken for a replay.
func TestRetryIsSignedAnew(t *testing.T) {
	s := newTestSender(t, Options{})
	keys := []SigningKey{mustSigningKey(t, specimen)}
	hook := oneHook(t, dispatchtest.HookRow(1, "http://x/"))
	first := s.request(newEnvelope(t.Context(), time.Second), newTemplate(hook), &testMessage, keys, time.Unix(1614265330, 0)).Header
	later := s.request(newEnvelope(t.Context(), time.Second), newTemplate(hook), &testMessage, keys, time.Unix(1614265330+72*3600, 0)).Header
	for _, name := range []string{"webhook-timestamp", "webhook-signature"} {
		if len(first[name]) != 1 || len(later[name]) != 1 || first[name][0] == later[name][0] {
			t.Errorf("%s: %q, and later %q", name, first[name], later[name])
		}
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	const secret = "hush, hush, hush, hush, hush"
	key := signingKey([]byte(secret))
	ring, err := NewKeyring([]byte(secret + "hush"))
	if err != nil {
		t.Fatal(err)
	}
	values := []any{
		key, &key, ring, &ring,
		[]SigningKey{key},
		map[int64][]SigningKey{7: {key}},
		struct{ k SigningKey }{key},
		struct{ r Keyring }{ring},
		&struct{ K SigningKey }{key},
	}
	var log dispatchtest.Log
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p"} {
			fmt.Fprintf(&log, verb+"\n", value)
		}
		log.Logger().Info("value", "value", value)
	}
	out := log.String()
	for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), base64.StdEncoding.EncodeToString([]byte(secret))[:30], "104 117 115 104"} {
		if strings.Contains(out, form) {
			t.Errorf("a secret is printed:\n%s", out)
		}
	}
	if n := strings.Count(out, mask); n < len(values) {
		t.Errorf("%d masks:\n%s", n, out)
	}
}

func BenchmarkSign(b *testing.B) {
	body := []byte(strings.Repeat("x", 2048))
	key, old := NewSigningKey(), NewSigningKey()
	for name, keys := range map[string][]SigningKey{"one": {key}, "two": {key, old}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Sign(keys, testMessage.ID, "1614265330", mapping.BodyOf(body))
			}
		})
	}
}
