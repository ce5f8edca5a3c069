// Package status is what operators see of a hooktail that runs: the report behind
// /status and `hooktail status`, the page that shows it, and what may be done there.
//
// It knows the form of the report and the rules of who may see and do what. What is
// in the report, and what an action does, it asks of a Program. Nothing that it
// shows without the token holds a payload, an answer, a header's value, or a URL's
// credentials, path or query.
package status
