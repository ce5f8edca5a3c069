// Package testdata holds Label Studio's schema, base data and recorded changes
// for the demo and the tests. What is recorded and how is told in
// labelstudio/README.md.
//
// The pattern ./... leaves a folder of this name out, so it is vetted by name.
package testdata

import "embed"

// LabelStudio has labelstudio/schema.sql, labelstudio/base.sql and the
// changes.sql of each recorded scenario.
//
//go:embed labelstudio/schema.sql labelstudio/base.sql labelstudio/scenarios/*/changes.sql
var LabelStudio embed.FS
