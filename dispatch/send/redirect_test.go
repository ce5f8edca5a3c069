package send

import (
	"net/url"
	"strings"
	"testing"
)

func TestDescribeRedirect(t *testing.T) {
	for _, tt := range []struct{ from, location, want string }{
		{"http://hook.test/services/hush", "https://hook.test/services/hush", "https://hook.test (the same path)"},
		{"http://hook.test/services/hush", "/services/hush/", "http://hook.test (the same path with a trailing slash)"},
		{"http://hook.test/services/hush", "http://www.hook.test:8080/services/hush", "http://www.hook.test:8080 (the same path)"},
		{"http://hook.test/services/hush", "//other.test/login?next=/services/hush", "http://other.test (another path or query)"},
		{"http://hook.test/a?token=hush", "http://hook.test/a?token=other", "http://hook.test (another path or query)"},
		{"http://hook.test", "https://hook.test/", "https://hook.test (the same path)"},
		{"http://hook.test/a", "https://user:hush@hook.test/b", "https://hook.test (another path or query)"},
		{"http://hook.test/a", "http://%zz/hush", "no usable URL"},
		{"http://hook.test/a", "mailto:hush@hook.test", "no usable URL"},
		{"http://hook.test/a", "http://" + strings.Repeat("hush.", 100) + "test/", "no usable URL"},
		{"http://hook.test/a", "http://hook.test/\nhush", "no usable URL"},
		{"http://hook.test/a", "", ""},
	} {
		from, err := url.Parse(tt.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := describeRedirect(from, tt.location); got != tt.want {
			t.Errorf("from %s to %q: %q, want %q", tt.from, tt.location, got, tt.want)
		}
	}
}
