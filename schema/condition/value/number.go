package value

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// isNumber says whether a string holds a number as JSON writes it.
func isNumber(text string) bool {
	v := jsontext.Value(text)
	return v.Kind() == '0' && v.IsValid() && strings.TrimSpace(text) == text
}

// wholeInt reads a JSON number that is whole, exactly: 5, 5.0, 5e3, 500e-2.
func wholeInt(text string) (int64, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	digits, negative, ok := wholeDigits(text)
	if !ok {
		return 0, false
	}
	if negative {
		digits = "-" + digits
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil
}

// wholeUint is wholeInt for numbers that are not negative.
func wholeUint(text string) (uint64, bool) {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n, true
	}
	digits, negative, ok := wholeDigits(text)
	if !ok || negative && digits != "0" {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil
}

// maxDigits is more than any number of 64 bits has; longer ones are refused
// before their exponent is written out.
const maxDigits = 24

// wholeDigits writes a JSON number out without fraction and exponent; false when
// it has a fraction or is too large. Floating point never touches it.
func wholeDigits(text string) (digits string, negative, ok bool) {
	text, negative = strings.CutPrefix(text, "-")
	mantissa, exponentText := text, "0"
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponentText = text[:i], text[i+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	fraction = strings.TrimRight(fraction, "0")
	all := strings.TrimLeft(whole+fraction, "0")
	if all == "" {
		return "0", negative, true
	}
	exponent, err := strconv.Atoi(exponentText)
	if err != nil {
		return "", negative, false
	}
	trimmed := strings.TrimRight(all, "0")
	zeros := len(all) - len(trimmed) - len(fraction)
	if exponent > maxDigits || exponent < -len(text) {
		return "", negative, false
	}
	zeros += exponent
	if zeros < 0 || len(trimmed)+zeros > maxDigits {
		return "", negative, false
	}
	return trimmed + strings.Repeat("0", zeros), negative, true
}
