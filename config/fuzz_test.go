package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/config"
)

// FuzzConfig gives one variable any value, and the database's password any
// text. Load must not panic, must report only its own kinds of error, must
// never show the password, and must not accept what breaks a bound.
func FuzzConfig(f *testing.F) {
	for _, v := range config.Variables() {
		f.Add(strings.TrimPrefix(v.Name, config.Prefix), v.Default, password)
	}
	f.Add("SETTEL", "1s", password)
	f.Add("DATABASE_URL", "postgres://u:p%@h:port/d", password)
	f.Add("EGRESS", "10.0.0.0/8,::/0", password)
	f.Add("MEMORY", "9223372036854775807GiB", password)
	f.Add("SLOT", "\xff\x00`\"", password)
	f.Fuzz(func(t *testing.T, name, value, secret string) {
		if strings.HasSuffix(name, "_FILE") {
			return // the files of the machine that fuzzes are not an input
		}
		secret = "begin-of-secret" + secret
		c, err := config.Load([]string{
			"HOOKTAIL_DATABASE_URL=postgres://user:" + secret + "@localhost/labelstudio",
			config.Prefix + name + "=" + value,
		})
		out := fmt.Sprintf("%v %+v %#v %v", c, c, c, err)
		if !strings.Contains(name+value, "begin-of-secret") && strings.Contains(out, "begin-of-secret") {
			t.Errorf("shows the secret: %s", out)
		}
		if err != nil {
			checkFaults(t, err)
			return
		}
		if c.Slot == "" || c.Timeout <= 0 || c.HookConcurrency < 1 || c.Memory < 16*config.MiB || c.Egress == "" {
			t.Errorf("accepts what is not allowed: %+v", c)
		}
	})
}

// checkFaults fails the test if the error is not a join of Load's own kinds.
func checkFaults(t *testing.T, err error) {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("error %v is no join of faults", err)
	}
	for _, fault := range joined.Unwrap() {
		if _, ok := errors.AsType[*config.ValueError](fault); !ok {
			t.Errorf("fault %v is no ValueError", fault)
		}
	}
}
