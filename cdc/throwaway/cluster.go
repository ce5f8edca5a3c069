package throwaway

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// initdb gives dir to the server's owner and makes the directory data in it.
func (s *Server) initdb(ctx context.Context, dir string) error {
	if err := s.owner.give(dir); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), "-D", filepath.Join(dir, "data"),
		"-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	cmd.Dir = dir
	cmd.SysProcAttr = s.owner.attributes()
	if out, err := cmd.CombinedOutput(); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		return fmt.Errorf("run initdb: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// copy makes the cluster from the one that is kept for these binaries.
func (s *Server) copy(ctx context.Context) error {
	kept, err := s.kept(ctx)
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	if err := os.CopyFS(data, os.DirFS(kept)); err != nil {
		return fmt.Errorf("copy the cluster: %w", err)
	}
	if err := os.Chmod(data, 0o700); err != nil {
		return err
	}
	return s.owner.giveAll(s.dir)
}

// kept returns the data directory of a cluster that has never been started, beside the
// downloaded binaries.
func (s *Server) kept(ctx context.Context) (string, error) {
	version, err := exec.CommandContext(ctx, filepath.Join(s.bin, "postgres"), "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask for PostgreSQL's version: %w", err)
	}
	name := fmt.Sprintf("cluster-%x", sha256.Sum256(append(version, s.bin...)))[:24]
	return cached(name, func(scratch string) (string, error) {
		return filepath.Join(scratch, "data"), s.initdb(ctx, scratch)
	})
}
