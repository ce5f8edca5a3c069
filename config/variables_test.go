package config_test

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/config"
)

func TestVariables(t *testing.T) {
	t.Parallel()
	list := config.Variables()
	if want := reflect.TypeFor[config.Config]().NumField(); len(list) != want {
		t.Fatalf("%d variables, want one per field: %d", len(list), want)
	}
	seen := make(map[string]bool)
	for _, v := range list {
		switch {
		case seen[v.Name]:
			t.Errorf("%s: listed twice", v.Name)
		case v.Name == config.Prefix:
			t.Errorf("a field has no envconfig tag: %+v", v)
		case v.Required && v.Default != "":
			t.Errorf("%s: required, with the default %q", v.Name, v.Default)
		case v.Allowed == "" || v.Meaning == "":
			t.Errorf("%s: allowed %q, meaning %q, want both", v.Name, v.Allowed, v.Meaning)
		}
		seen[v.Name] = true
	}
	want := config.Variable{
		Name:     "HOOKTAIL_DATABASE_URL",
		Required: true,
		Secret:   true,
		Allowed:  "a postgres:// URL, or a DSN of key=value pairs",
		Meaning:  "Label Studio's database; the role needs REPLICATION",
	}
	if diff := cmp.Diff(want, list[0]); diff != "" {
		t.Errorf("first variable (-want +got):\n%s", diff)
	}
}

// TestDefaultsGivenMeanTheSame sets every variable to its own default.
func TestDefaultsGivenMeanTheSame(t *testing.T) {
	t.Parallel()
	environ := []string{database}
	for _, v := range config.Variables() {
		if v.Default != "" {
			environ = append(environ, v.Name+"="+v.Default)
		}
	}
	got, err := config.Load(environ)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaults(), got); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}
