// Package config turns the environment into one checked value.
//
// It stands beside the path of a change: cmd/hooktail calls Load once, at the
// start, and hands the plain values on. No other room reads the environment,
// and this one imports none of them.
//
//	Config       the value; its struct tags are the only list of the variables
//	Load         environment → Config, or all faults at once
//	environment  where the text of a variable comes from: itself or a file
//	check        what a value's type alone cannot say
//	ClientTLS, ProxyURL, SecretKeys
//	             what is made of several variables, or of a secret's text
//	Variables    the list again, for people: help and documentation
package config
