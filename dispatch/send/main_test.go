package send

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustEgress(t testing.TB, policy string) Egress {
	t.Helper()
	e, err := ParseEgress(policy)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func hookURL(base string, id int64) string { return fmt.Sprintf("%s/h/%d", base, id) }
