package config_test

import (
	"testing"

	"github.com/hooktail/hooktail/config"
)

func TestEgress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		want config.Egress // empty: refused
	}{
		{"internal", "internal", "internal"},
		{"public", "public", "public"},
		{"one network", "192.0.2.0/24", "192.0.2.0/24"},
		{"host bits are cut", "192.0.2.7/24", "192.0.2.0/24"},
		{"several with spaces", "10.0.0.0/8 , 2001:db8::/32", "10.0.0.0/8,2001:db8::/32"},
		{"nothing", "", ""},
		{"capitals", "Internal", ""},
		{"the name of the mode", "networks", ""},
		{"address", "192.0.2.7", ""},
		{"zone", "fe80::%eth0/64", ""},
		{"too long a prefix", "10.0.0.0/33", ""},
		{"comma at the end", "10.0.0.0/8,", ""},
		{"word among networks", "10.0.0.0/8,public", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got config.Egress
			err := got.UnmarshalText([]byte(tt.in))
			if (err != nil) != (tt.want == "") {
				t.Fatalf("UnmarshalText(%q) error = %v, want one: %t", tt.in, err, tt.want == "")
			}
			if got != tt.want {
				t.Errorf("UnmarshalText(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}
