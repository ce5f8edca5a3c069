package proctest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/deploy"
)

// TestRoleScriptStops: psql goes on after an error unless it is told otherwise, and ends
// with 0.
func TestRoleScriptStops(t *testing.T) {
	text, err := os.ReadFile("../../../../deploy/role.sql")
	if err != nil {
		t.Fatal(err)
	}
	script := string(text)
	stop := strings.Index(script, "\n\\set ON_ERROR_STOP on\nBEGIN;\n")
	first := strings.Index(script, "\nDO $$")
	if stop < 0 || first < stop || !strings.HasSuffix(script, "\nCOMMIT;\n") {
		t.Error("deploy/role.sql is not one transaction that ends psql at an error")
	}
	if strings.Contains("\n"+deploy.Role(), "\n\\") {
		t.Error("Role has commands of psql")
	}
}
