package gaps

import (
	"os"
	"testing"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

func TestMain(m *testing.M) { os.Exit(proctest.Main(m)) }
