// Package mapping turns committed row changes into the webhook events of Label
// Studio, with the JSON bodies that Label Studio itself would send. All
// knowledge of Label Studio's tables is here; of hooks, HTTP and slots there is
// none.
//
// The path within the package:
//
//	Mapper    cdc.Part → Events, by the rules of a Profile (pure: no I/O)
//	Locator   project → organization, for those that want an event
//	Settler   holds an event until the user's action has ended
//	Renderer  rows → Event.Payload, one query per kind and batch
//
// Columns are found by name in the relation that the stream announces, so a
// column that a later version of Label Studio adds flows into the payload by
// itself, and one that the rules need and that is missing stops the mapping
// with its name.
//
// Each of the four has one owner: none but the Settler is safe for concurrent
// use. A Mapper must see the whole stream, in order; several Renderers may work
// side by side.
package mapping
