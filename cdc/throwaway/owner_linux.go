package throwaway

import "syscall"

// endWithParent has the kernel stop the server when its starter is killed.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
