package faults

import (
	"os"
	"testing"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

func TestMain(m *testing.M) {
	natstest.Main()
	os.Exit(proctest.Main(m))
}
