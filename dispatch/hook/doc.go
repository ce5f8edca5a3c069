// Package hook holds the hooks and finds who wants an event.
//
// It stands between mapping and dispatch on the path of a change. It knows the rows of
// webhook, webhook_action and hook_setting, and nothing of lanes and HTTP.
//
//	Set        the rows, as of the event's commit
//	Set.Match  event → targets: which hooks want it, and in which form
//	Hook       one row of webhook with the actions that it chose; immutable
//	URL        where its requests go, without what may be secret when it is printed
//	Headers    its own headers, without their values when they are printed
//	Overlap    what hooks would have got that are adopted soon after
//
// Set.Load reads the rows with SQL of its own. Every other change of them comes from the
// stream, through Set.Apply.
package hook
