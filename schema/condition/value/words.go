package value

import "github.com/go-json-experiment/json/jsontext"

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	case '0':
		return "number"
	case '"':
		return "string"
	case '[':
		return "array"
	case '{':
		return "object"
	default:
		return noJSON
	}
}

func takes(k Kind) string {
	switch k {
	case Bool:
		return "a bool is true or false"
	case Int:
		return "an int is a whole number of 64 bits, or its digits in a string"
	case Uint:
		return "a uint is a whole number of 64 bits that is not negative, or its digits in a string"
	case Double:
		return "a double is a finite number of 64 bits, or its digits in a string"
	case String:
		return "a string stands in quotes"
	case Bytes:
		return "bytes are a string in base64"
	case Duration:
		return `a duration is a string like "1h30m"`
	case Timestamp:
		return `a timestamp is a string as RFC 3339 has it, like "2030-01-01T00:00:00Z"`
	case IPAddress:
		return `an ipaddress is a string like "10.1.2.3" or "2001:db8::1", without a zone`
	case List:
		return "a list is an array"
	case Map:
		return "a map is an object"
	case Any:
		return "the number is out of the range of a double"
	default:
		return "no value has this type"
	}
}
