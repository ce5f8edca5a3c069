// Package conformance compares the requests that hooktail sends in the recorded
// scenarios of testdata/labelstudio with those that every hook must get. It
// deliberately shares no code with the program, so that it does not repeat the
// program's mistakes.
//
//	Scenarios       the recording
//	Scenario.Calls  their statements, one group per user action
//	Collector       an http.Handler that replaces all hooks
//	CompareNative   the requests of one scenario against those that Label Studio sent
//	Derive          the second derivation: from the WAL's text by the rules of a profile
//	CompareDerived  the requests of one scenario against that derivation
//	Readdress       statements and rows with the address of the Collector
//	Table           the results of all scenarios as text
//
// To play the scenarios, load schema and base, then each scenario's calls in
// order, and wait between two calls until nothing is outstanding. A payload shows
// the task and the project at the end of the user's action. At full speed, an
// earlier call's payload would show the effects of later calls in scenarios 44, 47,
// 55, 58, 60 and 61; scenario 44 also deletes a hook that must get an earlier
// call's event first. All others can be played without waiting.
package conformance
