//go:build unix && !linux

package throwaway

import "syscall"

// endWithParent has no equivalent here: a server whose parent is killed keeps running.
func endWithParent(*syscall.SysProcAttr) {}
