package spelling

import (
	"cmp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Nearest returns the name that word misspells or abbreviates, in whatever case, or "".
func Nearest(word string, names []string) string {
	word = strings.ToLower(word)
	distance := func(name string) int {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, word) || isSwapped(word, name) {
			return 0
		}
		return levenshtein.Distance(word, name, nil)
	}
	if len(names) == 0 || word == "" {
		return ""
	}
	name := slices.MinFunc(names, func(a, b string) int { return cmp.Or(distance(a)-distance(b), len(a)-len(b)) })
	if distance(name) > max(2, len(word)/3) {
		return ""
	}
	return name
}

// isSwapped reports whether the word is the name with two neighbouring letters swapped.
func isSwapped(word, name string) bool {
	for i := 1; i < len(word) && len(word) == len(name); i++ {
		if word[:i-1]+word[i:i+1]+word[i-1:i]+word[i+1:] == name {
			return true
		}
	}
	return false
}
