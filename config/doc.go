// Package config turns the environment into one checked value.
//
// It is not on the path of a change: cmd/hooktail calls Load once, at the start, and
// passes on plain values. No other package reads the environment, and this package
// imports none of them.
//
//	Config       the value; its struct tags are the only list of the variables
//	Load         environment → Config, or all faults at once
//	environment  the text of a variable: its value, or the content of its file
//	check        rules that a value's type cannot express
//	ClientTLS, ProxyURL, SecretKeys
//	             values made from several variables, or from a secret's text
//	Variables    the list for help and documentation
package config
