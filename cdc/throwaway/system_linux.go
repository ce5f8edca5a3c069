package throwaway

import "syscall"

// memory returns the directory whose files are kept in memory, for a quick server, if
// that has 4 GB to spare; "" otherwise. Creating a database means a few hundred files.
func memory(o Options) string {
	const dir, enough = "/dev/shm", 4 << 30
	var room syscall.Statfs_t
	if !o.Quick || syscall.Statfs(dir, &room) != nil || room.Bavail*uint64(room.Bsize) < enough {
		return ""
	}
	return dir
}

// endWithParent makes the kernel stop the server when its parent is killed.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
