//go:build unix

package throwaway

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"syscall"
)

// owner is the user that runs the server; nil: the current user.
type owner struct{ uid, gid uint32 }

// findOwner chooses another user if the current one is root.
func findOwner() (*owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		var o owner
		if _, err := fmt.Sscan(u.Uid, &o.uid); err != nil {
			return nil, fmt.Errorf("read uid of %s: %w", name, err)
		}
		if _, err := fmt.Sscan(u.Gid, &o.gid); err != nil {
			return nil, fmt.Errorf("read gid of %s: %w", name, err)
		}
		return &o, nil
	}
	return nil, fmt.Errorf("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as: create one (useradd --system postgres) or run as another user")
}

// give changes the directory's owner.
func (o *owner) give(dir string) error {
	if o == nil {
		return nil
	}
	if err := os.Chown(dir, int(o.uid), int(o.gid)); err != nil {
		return fmt.Errorf("give directory to the server's user: %w", err)
	}
	return nil
}

// giveAll changes the owner of the directory and its content.
func (o *owner) giveAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return o.give(path)
	})
}

// attributes makes a child run as the owner, in its own process group, so that Ctrl-C at
// a terminal only reaches the parent; the child ends if the parent is killed.
func (o *owner) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	endWithParent(attr)
	if o != nil {
		attr.Credential = &syscall.Credential{Uid: o.uid, Gid: o.gid}
	}
	return attr
}
