// Package hook holds the hooks and finds those that want an event.
//
// On the path of a change it is between mapping and dispatch. It knows the rows of
// webhook, webhook_action and hook_setting, but not lanes or HTTP.
//
//	Set        the rows, as of the event's commit
//	Set.Match  event → targets: the hooks that want it, and the form of their requests
//	Hook       one row of webhook with its chosen actions; immutable
//	URL        the address of its requests; printing it omits secret parts
//	Headers    its own headers; printing them omits the values
//	Overlap    recent events of unadopted hooks, for an adoption soon after
//
// Set.Load reads the rows with its own SQL. All later changes come from the stream,
// through Set.Apply.
package hook
