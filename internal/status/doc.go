// Package status shows operators the state of a running hooktail: the report behind
// /status and `hooktail status`, the page, and the page's actions.
//
// It defines the report's form and the access rules. A Program supplies the report's
// contents and carries out actions. Without the token, nothing that it shows contains a
// payload, an answer, a header's value, or a URL's credentials, path or query.
package status
