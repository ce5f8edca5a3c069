// Package conformance is the yardstick of hooktail: what every hook must get in
// the recorded scenarios of testdata/labelstudio, and the comparison of that
// with what it got. It shares no code with the program on purpose, so that a
// mistake there is not repeated here.
//
//	Scenarios       the recording
//	Scenario.Calls  their statements, one group per user action
//	Collector       an http.Handler that stands in for all hooks
//	CompareNative   the requests of one scenario against those that Label Studio sent
//	Derive          the second derivation: from the WAL's text by the rules of a profile
//	CompareDerived  the requests of one scenario against that derivation
//	Readdress       statements and rows that point at the Collector
//	Counts          what the hooks must have got after some calls
//	Table           the outcome of all scenarios as text
//
// How to play the scenarios: load schema and base, then each scenario's calls in
// order, waiting between two calls until nothing is outstanding. A payload shows
// the task and the project as they are when the user's action has ended. At full
// speed an earlier call's payload would show what the later ones did: so it is in
// scenarios 44, 47, 55, 58, 60 and 61 (and in 44 a hook is deleted that must get
// an earlier call's event first). All others may be played in one go.
package conformance
