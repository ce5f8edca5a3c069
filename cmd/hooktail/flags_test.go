package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// TestFlagsRefuseWrongValues: whatever the command and the flag, a value that cannot be used
// ends with 2 and the flag's name, without a configuration or a database. If there is a
// choice, the message has it. An empty value is none: it does not count as a flag that is
// not given.
func TestFlagsRefuseWrongValues(t *testing.T) {
	t.Parallel()
	tried := 0
	for path, cmd := range everyPath(t) {
		words := strings.Fields(path)
		if strings.Contains(cmd.Use, " ID") {
			words = append(words, "1")
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			wrong := map[string]string{"": ""}
			switch value, isChecked := f.Value.(*checked); {
			case f.Value.Type() == "bool":
				wrong = map[string]string{"maybe": ""}
			case isChecked && len(value.known) > 0:
				wrong["no such value"], wrong[strings.ToLower(value.known[0])+"x"] = value.known[0], value.known[0]
			case isChecked || strings.Contains(f.Value.Type(), "int"):
				wrong["no such value"] = ""
			}
			for value, want := range wrong {
				tried++
				line := append(slices.Clone(words), "--"+f.Name+"="+value)
				if code, stdout, stderr := command(nil, line...); code != exitUsage || stdout != "" || !strings.Contains(stderr, "--"+f.Name) || !strings.Contains(stderr, want) {
					t.Errorf("hooktail %q: exit code %d, want %q: %s%s", line, code, want, stdout, stderr)
				}
			}
		})
	}
	if tried < 100 {
		t.Errorf("only %d values were tried", tried)
	}
}

func TestRateFlag(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want time.Duration // 0: an error
	}{
		{"100/s", 10 * time.Millisecond},
		{"1/s", time.Second},
		{"30/m", 2 * time.Second},
		{"1/h", time.Hour},
		{"", 0},
		{"100", 0},
		{"0/s", 0},
		{"-1/s", 0},
		{"1.5/s", 0},
		{"1/d", 0},
		{"/s", 0},
		{"99999999999/s", 0},
	} {
		var got time.Duration
		if err := rateInto(&got, "").Set(tt.in); got != tt.want || (err == nil) != (tt.want != 0) {
			t.Errorf("--rate=%q: %s, %v, want %s", tt.in, got, err, tt.want)
		}
	}
}

// TestVersionIsACommandAndAFlag, as in most programs.
func TestVersionIsACommandAndAFlag(t *testing.T) {
	t.Parallel()
	_, want, _ := command(nil, "version")
	if code, got, stderr := command(nil, "--version"); code != exitDone || got != want || stderr != "" {
		t.Errorf("exit code %d: %q%s, want %q", code, got, stderr, want)
	}
}

// TestHelpIsTheSame, however somebody asks for it, and shows no value of a flag that needs none.
func TestHelpIsTheSame(t *testing.T) {
	t.Parallel()
	for path := range everyPath(t) {
		words := strings.Fields(path)
		_, want, _ := command(nil, append([]string{"help"}, words...)...)
		if strings.Contains(want, "true|false") {
			t.Errorf("help %s has values of switches:\n%s", path, want)
		}
		for _, flag := range []string{"-h", "--help"} {
			if code, got, stderr := command(nil, append(slices.Clone(words), flag)...); code != exitDone || got != want || want == "" || stderr != "" {
				t.Errorf("hooktail %s %s: exit code %d: %s%s\nbut help %[1]s:\n%s", path, flag, code, got, stderr, want)
			}
		}
	}
}
