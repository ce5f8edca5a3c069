package main

import (
	"errors"
	"go/build"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/hooktail/hooktail"

// arrows is what one package imports of ours.
type arrows struct {
	must  []string // drawn in the design: there, or the drawing is wrong
	may   []string // helpers
	tests []string // in its tests, beyond the above
	never []string // what it is to know nothing of, from outside the module; its tests are free
}

// allowed is the design's drawing, folder by folder. A folder that it does not
// have may not exist.
func allowed() map[string]arrows {
	const (
		bench        = "cmd/hooktail-bench"
		cdc          = "cdc"
		cloudevents  = "internal/cloudevents"
		cdctest      = "cdc/cdctest"
		throwaway    = "cdc/throwaway"
		config       = "config"
		conformance  = "cmd/hooktail/internal/conformance"
		demo         = "internal/demo"
		deploy       = "deploy"
		dispatch     = "dispatch"
		display      = "internal/display"
		dispatchHook = "dispatch/hook"
		dispatchSend = "dispatch/send"
		doctor       = "cmd/hooktail/internal/doctor"
		dispatchtest = "dispatch/dispatchtest"
		faults       = "cmd/hooktail/internal/faults"
		hooktail     = "cmd/hooktail"
		logging      = "internal/logging"
		mapping      = "mapping"
		natslog      = "internal/natslog"
		natstest     = "internal/natslog/natstest"
		pagetest     = "cmd/hooktail/internal/pagetest"
		state        = "dispatch/state"
		filter       = "dispatch/filter"
		gaps         = "cmd/hooktail/internal/gaps"
		proctest     = "cmd/hooktail/internal/proctest"
		receiver     = "internal/receiver"
		release      = "cmd/hooktail/internal/release"
		spelling     = "internal/spelling"
		status       = "internal/status"
		promtest     = "cmd/hooktail/internal/promtest"
		postgres     = "internal/postgres"
		relay        = "internal/relay"
		repair       = "internal/repair"
		replay       = "internal/replay"
		retry        = "internal/retry"
		setup        = "internal/setup"
		tail         = "internal/tail"
		testdata     = "testdata"
		wiring       = "internal/wiring"
	)
	return map[string]arrows{
		config:       {must: []string{postgres}, never: []string{"net/http"}},
		cdc:          {must: []string{postgres}, may: []string{logging, retry}, tests: []string{cdctest, throwaway}, never: []string{"net/http"}},
		mapping:      {must: []string{cdc}, tests: []string{cdctest}, never: []string{"net/http", "github.com/jackc/pglogrepl"}},
		dispatch:     {must: []string{mapping, dispatchHook, dispatchSend, state}, may: []string{cdc, logging, retry}, tests: []string{dispatchtest, cdctest}, never: []string{"net/http", "github.com/jackc/pgx/v5", "github.com/jackc/pglogrepl"}},
		filter:       {must: []string{mapping}, never: []string{"net/http", "github.com/jackc/pgx/v5", "github.com/jackc/pglogrepl"}},
		dispatchHook: {must: []string{mapping, filter}, may: []string{state}, tests: []string{dispatchtest, cdctest}, never: []string{"net/http", "github.com/jackc/pglogrepl"}},
		dispatchSend: {must: []string{mapping, dispatchHook, cloudevents}, tests: []string{dispatchtest}, never: []string{"github.com/jackc/pgx/v5", "github.com/jackc/pglogrepl"}},
		state:        {must: []string{mapping}, may: []string{cdc, retry}, tests: []string{cdctest}, never: []string{"net/http", "github.com/jackc/pglogrepl"}},
		hooktail: {
			must:  []string{config, cdc, mapping, dispatch, dispatchHook, dispatchSend, demo, receiver, relay, repair, replay, setup, tail, wiring},
			may:   []string{display, doctor, filter, state, postgres, retry, spelling, status},
			tests: []string{conformance, cdctest, dispatchtest, natstest, proctest, testdata, throwaway},
		},

		relay: {
			must:  []string{config, cdc, mapping, dispatch, dispatchHook, dispatchSend, natslog, state, wiring, setup, status},
			may:   []string{display, logging, postgres, replay, retry},
			never: []string{"github.com/spf13/cobra"},
		},
		replay: {must: []string{dispatchHook, dispatchSend, state, mapping, natslog, wiring}, may: []string{config, cdc, display, filter, retry}, tests: []string{cdctest}, never: []string{"github.com/spf13/cobra"}},
		repair: {must: []string{config, cdc, dispatchHook, state, replay, setup, wiring}, may: []string{display}, never: []string{"net/http", "github.com/jackc/pgx/v5", "github.com/spf13/cobra"}},
		setup:  {must: []string{config, cdc, dispatchHook, natslog, state, wiring}, may: []string{mapping}, never: []string{"net/http", "github.com/spf13/cobra"}},
		wiring: {must: []string{config, cdc, mapping, dispatch, dispatchHook, dispatchSend, natslog, state, postgres}, tests: []string{natstest}, never: []string{"github.com/spf13/cobra"}},
		demo:   {must: []string{config, mapping, receiver, relay, throwaway, testdata}, may: []string{display, postgres}, never: []string{"github.com/spf13/cobra"}},
		tail:   {must: []string{config, cdc, mapping, wiring, cloudevents}, may: []string{state}, never: []string{"net/http", "github.com/spf13/cobra"}},

		receiver: {may: []string{display, status}, never: []string{"github.com/jackc/pgx/v5", "github.com/spf13/cobra"}},

		status:  {must: []string{state}, may: []string{display, mapping}, never: []string{"github.com/jackc/pgx/v5"}},
		display: {never: []string{"net/http", "github.com/jackc/pgx/v5"}},
		bench:   {must: []string{throwaway, testdata}},
		doctor: {
			must:  []string{config, cdc, dispatchHook, dispatchSend, natslog, state, mapping, postgres},
			may:   []string{display, retry},
			tests: []string{cdctest, natstest, throwaway, proctest, testdata},
		},
		natslog: {
			must: []string{cdc, mapping, dispatch, dispatchHook, state}, may: []string{logging, retry}, tests: []string{natstest},
			never: []string{"net/http", "github.com/jackc/pgx/v5", "github.com/jackc/pglogrepl"},
		},
		natstest:     {never: []string{"net/http"}},
		throwaway:    {},
		cdctest:      {may: []string{throwaway, testdata}},
		dispatchtest: {may: []string{mapping}},
		conformance:  {tests: []string{cdctest}},
		deploy:       {},
		proctest:     {must: []string{cdctest, deploy, natslog, natstest}, tests: []string{dispatchtest, throwaway}},
		gaps:         {tests: []string{cdctest, throwaway, dispatchtest, proctest}},
		faults:       {tests: []string{natstest, postgres, proctest, cdctest, dispatchtest, throwaway}},
		pagetest:     {tests: []string{proctest, cdctest, natstest}},
		promtest:     {tests: []string{proctest, cdctest, dispatchtest, mapping, natstest}},
		release:      {},
		postgres:     {never: []string{"net/http"}},
		retry:        {},
		testdata:     {},
		logging:      {},
		spelling:     {},
		cloudevents:  {never: []string{"net/http"}},
	}
}

// TestPackagesAreDescribed: CONTRIBUTING.md has a row for each package of the design.
func TestPackagesAreDescribed(t *testing.T) {
	t.Parallel()
	layout := readText(t, filepath.Join(repository, "CONTRIBUTING.md"))
	for _, folder := range slices.Sorted(maps.Keys(allowed())) {
		if !strings.Contains(layout, "\n| `"+folder+"` |") {
			t.Errorf("CONTRIBUTING.md does not describe %s", folder)
		}
	}
}

// TestImportArrows holds the imports of every package of the module, on all
// platforms, against the arrows of the design.
func TestImportArrows(t *testing.T) {
	t.Parallel()
	rows := allowed()
	packages := modulePackages(t)
	for _, folder := range slices.Sorted(maps.Keys(packages)) {
		t.Run(folder, func(t *testing.T) {
			row, drawn := rows[folder]
			if !drawn {
				t.Fatal("the design has no such package")
			}
			pkg := packages[folder]
			program := slices.Concat(row.must, row.may)
			tests := slices.Concat(program, row.tests, []string{folder})
			report(t, "", pkg.ImportPos, program, row.never)
			report(t, "test: ", pkg.TestImportPos, tests, nil)
			report(t, "test: ", pkg.XTestImportPos, tests, nil)
			for _, target := range row.must {
				if _, there := pkg.ImportPos[modulePath+"/"+target]; !there {
					t.Errorf("does not import %s: the design's arrow leads nowhere", target)
				}
			}
		})
	}
	for _, folder := range slices.Sorted(maps.Keys(rows)) {
		if _, there := packages[folder]; !there {
			t.Errorf("the design has a package %s that does not exist", folder)
		}
	}
}

// report names each import that is not among the module's allowed ones, or
// that is forbidden, with the places where it stands.
func report(t *testing.T, kind string, imports map[string][]token.Position, allowed, never []string) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(imports)) {
		folder, ours := strings.CutPrefix(path, modulePath+"/")
		if ours && !slices.Contains(allowed, folder) || slices.Contains(never, path) {
			t.Errorf("%s%v: import %q", kind, imports[path], path)
		}
	}
}

// modulePackages reads the imports of each folder that has Go files.
func modulePackages(t *testing.T) map[string]*build.Package {
	t.Helper()
	root := filepath.Join("..", "..")
	context := build.Default
	context.UseAllFiles = true // of all platforms
	packages := make(map[string]*build.Package)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if path != root && strings.HasPrefix(entry.Name(), ".") {
			return filepath.SkipDir
		}
		if _, err := os.Stat(filepath.Join(path, "go.mod")); path != root && err == nil {
			return filepath.SkipDir // another module
		}
		pkg, err := context.ImportDir(path, 0)
		if _, none := errors.AsType[*build.NoGoError](err); none {
			return nil
		}
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, path)
		packages[filepath.ToSlash(folder)] = pkg
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}
