package config_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/config"
)

// The same 32 bytes, 00 to 1f, in both forms.
const (
	hexKey    = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	base64Key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

func TestSecretKeys(t *testing.T) {
	t.Parallel()
	counted := make([]byte, 32)
	for i := range counted {
		counted[i] = byte(i)
	}
	zeros := bytes.Repeat([]byte{0}, 32)
	const zerosHex = "0000000000000000000000000000000000000000000000000000000000000000"
	tests := []struct {
		name string
		in   string
		want [][]byte
	}{
		{"not set", "", nil},
		{"hex", hexKey, [][]byte{counted}},
		{"hex in capitals", "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", [][]byte{counted}},
		{"base64", base64Key, [][]byte{counted}},
		{"a former one", base64Key + "," + zerosHex, [][]byte{counted, zeros}},
		{"lines", zerosHex + "\r\n" + base64Key + "\n\n", [][]byte{zeros, counted}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Load([]string{database, "HOOKTAIL_SECRET_KEY=" + tt.in})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, c.SecretKeys()); diff != "" {
				t.Errorf("SecretKeys (-want +got):\n%s", diff)
			}
		})
	}
}
