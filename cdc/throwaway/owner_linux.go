package throwaway

import "syscall"

// endWithParent makes the kernel stop the server when its parent is killed.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
