package config

import "reflect"

// Variable describes an environment variable.
type Variable struct {
	Name     string // with the prefix
	Default  string // empty: none
	Required bool
	Secret   bool   // the value is never shown
	Allowed  string // accepted values, as a noun phrase
	Meaning  string // effect of the value
}

// Variables lists all variables in the order of Config. Each can also be given as a file,
// by its name with _FILE appended.
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
