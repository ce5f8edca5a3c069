package conformance

import (
	"math/big"
	"strings"
)

// decimal returns the canonical spelling of a JSON number; zero of either sign is "0". It
// is exact, and its cost is proportional to the text: a large exponent is counted, never
// written out.
func decimal(number string) string {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(number), "e")
	mantissa, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")

	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return "0"
	}
	significant := strings.TrimRight(digits, "0")
	power := new(big.Int)
	if exponent != "" {
		if _, ok := power.SetString(strings.TrimPrefix(exponent, "+"), 10); !ok {
			return number
		}
	}
	power.Add(power, big.NewInt(int64(len(digits)-len(significant)-len(fraction))))

	sign := ""
	if negative {
		sign = "-"
	}
	return sign + spelled(significant, power)
}

// spelled writes digits · 10^power: in full if that is short, else with the exponent.
func spelled(digits string, power *big.Int) string {
	const most = 40
	if !power.IsInt64() || power.Int64() > most || power.Int64() < -most {
		return digits + "e" + power.String()
	}
	switch n := int(power.Int64()); {
	case n >= 0:
		return digits + strings.Repeat("0", n)
	case len(digits) > -n:
		return digits[:len(digits)+n] + "." + digits[len(digits)+n:]
	default:
		return "0." + strings.Repeat("0", -n-len(digits)) + digits
	}
}
