package config_test

import (
	"testing"

	"github.com/hooktail/hooktail/config"
)

func TestProxyURL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		in          string
		want        string // empty: nil
		environment bool
	}{
		{"not set", "", "", false},
		{"as usual", "environment", "", true},
		{"URL", "http://u:p@proxy:3128", "http://u:p@proxy:3128", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Load([]string{database, "HOOKTAIL_PROXY=" + tt.in})
			if err != nil {
				t.Fatal(err)
			}
			proxy, environment := c.ProxyURL()
			got := ""
			if proxy != nil {
				got = proxy.String()
			}
			if got != tt.want || environment != tt.environment {
				t.Errorf("ProxyURL = %q, %t, want %q, %t", got, environment, tt.want, tt.environment)
			}
		})
	}
}
