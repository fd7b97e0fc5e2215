package condition

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// MaxRequestBytes is the longest context of a request.
const MaxRequestBytes = 64 << 10

// Request is the request's part of the context, and its instant. NewRequest makes
// one; a Request made by hand works too and decodes its values at every use. Its
// values must not change once it is in use; goroutines may then share it, and a
// copy may have another instant. A nil Request gives no value and no instant.
type Request struct {
	// Values holds the raw JSON of every name. A name that no parameter has is
	// ignored.
	Values map[string][]byte
	// Now is what now() is. The zero time makes now() an error.
	Now time.Time
	// Trace asks for Result.Values.
	Trace bool

	cache *requestCache
}

// NewRequest reads a request's context: one JSON object without duplicate names,
// of valid UTF-8, at most MaxRequestBytes long and tuple.MaxContextDepth deep. No
// text at all, and null, are the empty context.
func NewRequest(json []byte, now time.Time) (*Request, error) {
	if len(json) > MaxRequestBytes {
		return nil, fmt.Errorf("the context has %d bytes, %d are the most", len(json), MaxRequestBytes)
	}
	r := &Request{Now: now}
	switch text := bytes.TrimSpace(json); {
	case len(text) == 0 || string(text) == "null":
		return r, nil
	case text[0] != '{':
		return nil, errors.New(`the context is not a JSON object: {"name": value}`)
	}
	if err := checkDepth(json); err != nil {
		return nil, err
	}
	values, err := members(json)
	if err != nil {
		return nil, fmt.Errorf("the context is not valid JSON: %w", err)
	}
	r.Values, r.cache = values, &requestCache{slots: map[*Program][]slot{}}
	return r, nil
}

// checkDepth refuses deep nesting before anything recurses into it.
func checkDepth(json []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(json))
	for {
		if _, err := dec.ReadToken(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the context is not valid JSON: %w", err)
		}
		if dec.StackDepth() > tuple.MaxContextDepth {
			return fmt.Errorf("the context is nested deeper than %d", tuple.MaxContextDepth)
		}
	}
}

// members returns the raw values of a JSON object by name.
func members(json []byte) (map[string][]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(json))
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	values := map[string][]byte{}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		raw, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		values[key] = bytes.Clone(raw)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text behind the object")
	}
	return values, nil
}

// requestCache keeps what a request's values are to each program. It hangs on a
// pointer, so that a Request may be copied, with another instant.
type requestCache struct {
	mu    sync.Mutex // guards slots
	slots map[*Program][]slot
}

// slots returns the request's values by parameter of the program.
func (r *Request) slots(p *Program) []slot {
	if len(r.Values) == 0 {
		return p.empty
	}
	if r.cache == nil {
		return p.decode(r.Values)
	}
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	slots, ok := r.cache.slots[p]
	if !ok {
		slots = p.decode(r.Values)
		r.cache.slots[p] = slots
	}
	return slots
}
