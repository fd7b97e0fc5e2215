package body

import (
	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/server/api"
)

// Append appends what the general encoder writes.
func Append[T any](b []byte, value *T) ([]byte, error) {
	text, err := json.Marshal(value, json.Deterministic(true))
	return append(b, text...), err
}

// AppendFoundObject appends an entry of a lookup of objects.
func AppendFoundObject(b []byte, found *api.FoundObject) ([]byte, error) {
	plain, ok := appendString(append(b, `{"object":`...), found.Object)
	if !ok || found.Missing != nil {
		return Append(b, found)
	}
	plain, _ = appendString(append(plain, `,"result":`...), found.Result) // one of ours
	return append(plain, '}'), nil
}

// AppendFoundSubject appends an entry of a lookup of subjects.
func AppendFoundSubject(b []byte, found *api.FoundSubject) ([]byte, error) {
	plain, ok := appendString(append(b, `{"subject":`...), found.Subject)
	if !ok || found.Missing != nil {
		return Append(b, found)
	}
	plain, _ = appendString(append(plain, `,"result":`...), found.Result) // one of ours
	return append(plain, '}'), nil
}

// AppendTuple appends an entry of a list of tuples.
func AppendTuple(b []byte, t *api.Tuple) ([]byte, error) {
	plain, object := appendString(append(b, `{"object":`...), t.Object)
	plain, relation := appendString(append(plain, `,"relation":`...), t.Relation)
	plain, subject := appendString(append(plain, `,"subject":`...), t.Subject)
	if !object || !relation || !subject || t.Condition != nil || !t.Expires.IsZero() {
		return Append(b, t)
	}
	return append(plain, '}'), nil
}

// AppendListEnd ends the page of a list that was opened as {"entries":[.
func AppendListEnd(b []byte, cursor string, e *api.Evaluated) []byte {
	b = append(b, ']')
	if cursor != "" {
		b, _ = appendString(append(b, `,"cursor":`...), cursor) // base64
	}
	return append(appendEvaluated(b, e), '}')
}
