package spelling_test

import (
	"testing"

	"github.com/hooktail/hooktail/internal/spelling"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"secret", "set", "show", "test", "TASK_COMPLETED", "TASK_CREATED"}
	for word, want := range map[string]string{
		"set": "set", "se": "set", "sec": "secret", "tset": "test", "SHOW": "show", "shw": "show", "TASK_COMPLETD": "TASK_COMPLETED", "task_craeted": "TASK_CREATED",
		"": "", "zzzzzz": "", "MODEL_OUTDATED": "", "s": "set",
	} {
		if got := spelling.Nearest(word, names); got != want {
			t.Errorf("%q is nearest to %q, want %q", word, got, want)
		}
	}
	if got := spelling.Nearest("set", nil); got != "" {
		t.Errorf("%q of no names", got)
	}
}
