package openfga

import (
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// readYAML reads a list of tuples, or those of a store file.
func readYAML(name string, r io.Reader, yield func(dialect.Placed, error) bool) {
	text, err := dialect.ReadYAML(name, r)
	if err != nil {
		yield(dialect.Placed{}, err)
		return
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		yield(dialect.Placed{}, dialect.YAMLFault(name, err))
		return
	}
	if doc.Kind != yaml.DocumentNode {
		return // an empty file
	}
	list, err := yamlList(name, doc.Content[0])
	if err != nil {
		yield(dialect.Placed{}, err)
		return
	}
	if list == nil {
		return
	}
	for _, item := range list.Content {
		k, err := yamlKey(name, item)
		var t dialect.Placed
		if err == nil {
			t, err = k.tuple(yamlPlace(name, item))
		}
		if !yield(t, err) {
			return
		}
	}
}

func yamlPlace(name string, n *yaml.Node) source.Place {
	return source.Place{File: name, Line: n.Line, Column: n.Column}
}

// yamlList returns the list of tuples of a file: itself, or that of a store file.
func yamlList(name string, root *yaml.Node) (*yaml.Node, error) {
	switch root.Kind {
	case yaml.SequenceNode:
		return root, nil
	case yaml.MappingNode:
		var list *yaml.Node
		for i := 0; i+1 < len(root.Content); i += 2 {
			key, value := root.Content[i], root.Content[i+1]
			switch key.Value {
			case "tuples":
				list = value
			case "tuple_file", "tuple_files":
				return nil, dialect.Fault(yamlPlace(name, key), "the store file keeps tuples in another file: import that file itself")
			}
		}
		if list != nil && list.Kind != yaml.SequenceNode {
			return nil, dialect.Fault(yamlPlace(name, list), "expected a list of tuples")
		}
		if list == nil {
			return nil, dialect.Fault(yamlPlace(name, root), "the file has no tuples: expected a list of them, or a store file with tuples")
		}
		return list, nil
	}
	return nil, dialect.Fault(yamlPlace(name, root), "expected a list of tuples, or a store file with tuples")
}

func yamlKey(name string, n *yaml.Node) (key, error) {
	var k key
	if n.Kind != yaml.MappingNode {
		return k, dialect.Fault(yamlPlace(name, n), "expected a tuple with user, relation and object")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		field, value := n.Content[i], n.Content[i+1]
		switch field.Value {
		case "user", "relation", "object":
			if value.Kind != yaml.ScalarNode {
				return k, dialect.Fault(yamlPlace(name, value), "%s must be a string", field.Value)
			}
			*k.field(field.Value) = value.Value
		case "condition":
			if err := yamlCondition(name, value, &k); err != nil {
				return k, err
			}
		default:
			return k, unknownField(yamlPlace(name, field), field.Value)
		}
	}
	return k, nil
}

func yamlCondition(name string, n *yaml.Node, k *key) error {
	if n.Kind != yaml.MappingNode {
		return dialect.Fault(yamlPlace(name, n), "a condition has name and context")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		field, value := n.Content[i], n.Content[i+1]
		switch field.Value {
		case "name":
			k.condition = value.Value
		case "context":
			var text strings.Builder
			if err := yamlJSON(name, value, &text, 0); err != nil {
				return err
			}
			k.context = []byte(text.String())
		default:
			return dialect.Fault(yamlPlace(name, field), "a condition has no field %q: it has name and context", tuple.Clip(field.Value))
		}
	}
	return nil
}

// yamlJSON writes a YAML value as JSON. A time stays the text that it is.
func yamlJSON(name string, n *yaml.Node, to *strings.Builder, depth int) error {
	if depth > tuple.MaxContextDepth {
		return dialect.Fault(yamlPlace(name, n), "nested deeper than %d", tuple.MaxContextDepth)
	}
	switch n.Kind {
	case yaml.MappingNode:
		to.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				to.WriteByte(',')
			}
			to.WriteString(quoteJSON(n.Content[i].Value) + ":")
			if err := yamlJSON(name, n.Content[i+1], to, depth+1); err != nil {
				return err
			}
		}
		to.WriteByte('}')
	case yaml.SequenceNode:
		to.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				to.WriteByte(',')
			}
			if err := yamlJSON(name, item, to, depth+1); err != nil {
				return err
			}
		}
		to.WriteByte(']')
	case yaml.ScalarNode:
		text, err := yamlScalar(n)
		if err != nil {
			return dialect.Fault(yamlPlace(name, n), "%v", err)
		}
		to.WriteString(text)
	default:
		return dialect.Fault(yamlPlace(name, n), "aliases are not read")
	}
	return nil
}

func yamlScalar(n *yaml.Node) (string, error) {
	switch n.ShortTag() {
	case "!!null":
		return "null", nil
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err != nil {
			return "", fmt.Errorf("%q is no boolean", tuple.Clip(n.Value))
		}
		return fmt.Sprint(b), nil
	case "!!int":
		if len(n.Value) <= 100 {
			if i, ok := new(big.Int).SetString(strings.ReplaceAll(n.Value, "_", ""), 0); ok {
				return i.String(), nil
			}
		}
		return "", fmt.Errorf("%q is no number that JSON can hold", tuple.Clip(n.Value))
	case "!!float":
		if v := jsontext.Value(n.Value); v.IsValid() && v.Kind() == '0' {
			return n.Value, nil
		}
		var f float64
		if err := n.Decode(&f); err != nil || f != f || f-f != 0 {
			return "", fmt.Errorf("%q is no number that JSON can hold", tuple.Clip(n.Value))
		}
		return fmt.Sprint(f), nil
	}
	return quoteJSON(n.Value), nil
}

func quoteJSON(text string) string {
	quoted, err := jsontext.AppendQuote(nil, text)
	if err != nil { // invalid UTF-8, which the reader has refused already
		return `""`
	}
	return string(quoted)
}
