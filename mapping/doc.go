// Package mapping turns committed row changes into the webhook events of Label
// Studio, with the JSON bodies that Label Studio itself would send. It has all
// knowledge of Label Studio's tables, and does not know hooks, HTTP or slots.
//
// The path within the package:
//
//	Mapper    cdc.Part → Events, by the rules of a Profile (pure: no I/O)
//	Locator   project → organization, so that hooks can be matched
//	Settler   holds an event until the user's action has ended
//	Renderer  rows → Event.Payload, one query per kind and batch
//
// It finds columns by name in the relation that the stream announces. A column that a
// later version of Label Studio adds appears in the payload without a change of this
// package. If a column that the rules need is missing, mapping stops with an error that
// names it.
//
// Each of the four has one owner: only the Settler is safe for concurrent use. A
// Mapper must see the whole stream, in order; several Renderers may work
// concurrently.
package mapping
