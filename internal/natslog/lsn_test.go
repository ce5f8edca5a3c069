package natslog_test

import "github.com/hooktail/hooktail/cdc"

func lsn(n int) cdc.LSN { return cdc.LSN(n) }
