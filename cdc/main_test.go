package cdc

import (
	"os"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
)

func TestMain(m *testing.M) { os.Exit(cdctest.Main(m)) }
