package config

import "reflect"

// Variable describes one variable of the environment.
type Variable struct {
	Name     string // with the prefix
	Default  string // empty: none
	Required bool
	Secret   bool   // its value is never shown
	Allowed  string // which values are accepted, as a noun
	Meaning  string // what the value does
}

// Variables lists all variables in the order of Config. Each of them may be
// given as a file as well: with _FILE behind its name.
func Variables() []Variable {
	var list []Variable
	for field := range reflect.TypeFor[Config]().Fields() {
		list = append(list, variable(field))
	}
	return list
}

// variable reads the description of a variable from the tags of its field.
func variable(field reflect.StructField) Variable {
	return Variable{
		Name:     Prefix + field.Tag.Get("envconfig"),
		Default:  field.Tag.Get("default"),
		Required: field.Tag.Get("required") == "true",
		Secret:   field.Type == reflect.TypeFor[Secret](),
		Allowed:  field.Tag.Get("allowed"),
		Meaning:  field.Tag.Get("meaning"),
	}
}
