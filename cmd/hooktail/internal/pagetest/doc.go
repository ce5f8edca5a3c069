// Package pagetest looks at the status page in a real browser: the built program on
// a real database, hooks of all kinds, hostile ones too, and Chromium.
package pagetest
