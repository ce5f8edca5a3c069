package dispatchtest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// spy notes whether an assertion failed.
type spy struct {
	testing.TB
	failed bool
}

func (s *spy) Helper()               {}
func (s *spy) Errorf(string, ...any) { s.failed = true }

func TestAssertionsNoticeWhatIsWrong(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	receiver.Script("/h", dispatchtest.Status(500), dispatchtest.Status(200))
	for _, event := range []string{"a", "a", "b", "b", "c"} { // the first is answered with 500
		post(t, receiver.URL+"/h", event)
	}
	receiver.Wait(t, "/h", 5)
	for _, tt := range []struct {
		name   string
		assert func(testing.TB)
		fails  bool
	}{
		{"all", func(t testing.TB) { receiver.AllOf(t, "/h", "a", "b", "c") }, false},
		{"one missing", func(t testing.TB) { receiver.AllOf(t, "/h", "a", "b", "c", "d") }, true},
		{"one too many", func(t testing.TB) { receiver.AllOf(t, "/h", "a", "b") }, true},
		{"in order", func(t testing.TB) { receiver.InOrder(t, "/h", "a", "c") }, false},
		{"out of order", func(t testing.TB) { receiver.InOrder(t, "/h", "b", "a") }, true},
		{"one duplicate", func(t testing.TB) { receiver.DuplicatesAtMost(t, "/h", 1) }, false},
		{"a duplicate too many", func(t testing.TB) { receiver.DuplicatesAtMost(t, "/h", 0) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &spy{TB: t}
			if tt.assert(s); s.failed != tt.fails {
				t.Errorf("failed: %v, want %v", s.failed, tt.fails)
			}
		})
	}
}

func post(t *testing.T, url, event string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("webhook-id", event)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
}
