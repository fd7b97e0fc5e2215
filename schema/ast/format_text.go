package ast

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// reserved words need backticks where they are names, since somewhere that a
// name may stand they are read as keywords.
var reserved = map[string]bool{
	"or": true, "and": true, "except": true, "every": true, "self": true, "nobody": true, "same": true,
	"relation": true, "permission": true, "acts": true, "exclusive": true, "with": true, "at": true,
	"deprecated": true, "immutable": true, "expiry": true,
}

// nameText prints a name, in backticks where it would be read as something else.
func nameText(name string) string {
	if reserved[name] || nameLength(name) != len(name) || looksLikeTime(name) || name == "" {
		return ticks(name)
	}
	return name
}

func ticks(text string) string { return "`" + strings.ReplaceAll(text, "`", "``") + "`" }

func nameTexts(names []Name) []string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = nameText(n.Text)
	}
	return texts
}

func objectText(o Object) string {
	id := o.ID
	for _, r := range id {
		if !isIDRune(r) {
			id = ticks(o.ID)
			break
		}
	}
	typ := o.Type
	if nameLength(typ) != len(typ) || looksLikeTime(typ) || typ == "" {
		typ = ticks(typ)
	}
	return typ + ":" + id
}

func usersetText(u Userset) string {
	if u.Relation.Text == "" {
		return objectText(u.Object)
	}
	return objectText(u.Object) + "#" + nameText(u.Relation.Text)
}

func usersetTexts(list []Userset) []string {
	texts := make([]string, len(list))
	for i, u := range list {
		texts[i] = usersetText(u)
	}
	return texts
}

// exprText prints an expression on one line; as an operand an operation stands
// in parentheses.
func exprText(e Expr, operand bool) string {
	var b strings.Builder
	writeExpr(&b, e, operand)
	return b.String()
}

func writeExpr(b *strings.Builder, e Expr, operand bool) {
	switch e := e.(type) {
	case *Operation:
		if operand {
			b.WriteByte('(')
		}
		for i, o := range e.Operands {
			if i > 0 {
				b.WriteString(" " + string(e.Op) + " ")
			}
			writeExpr(b, o, true)
		}
		if operand {
			b.WriteByte(')')
		}
	case *Direct:
		b.WriteByte('[')
		for i, s := range e.Subjects {
			if i > 0 {
				b.WriteString(" | ")
			}
			b.WriteString(subjectText(s))
		}
		b.WriteString("]" + boundText(e))
	case *Ref:
		b.WriteString(nameText(e.Name.Text))
	case *Arrow:
		if e.Every {
			b.WriteString("every ")
		}
		b.WriteString(nameText(e.Relation.Text) + "->" + targetText(e.Target, e.Same))
	case *Fixed:
		b.WriteString(objectText(e.Object) + "#" + targetText(e.Relation, e.Same))
	case *Self:
		b.WriteString("self")
	case *Nobody, nil:
		b.WriteString("nobody")
	}
}

func targetText(name Name, same bool) string {
	if same {
		return "same"
	}
	return nameText(name.Text)
}

func boundText(d *Direct) string {
	if d.AtMost == 0 {
		return ""
	}
	return " at most " + strconv.Itoa(d.AtMost)
}

func subjectText(s Subject) string {
	text := nameText(s.Type.Text)
	switch {
	case s.Wildcard:
		text = objectText(Object{Type: s.Type.Text, ID: tuple.Wildcard})
	case s.Relation.Text != "":
		text += "#" + nameText(s.Relation.Text)
	}
	var traits []string
	if s.Condition.Text != "" {
		traits = append(traits, nameText(s.Condition.Text))
	}
	switch s.Expiry {
	case RequiredExpiry:
		traits = append(traits, "expiry")
	case OptionalExpiry:
		traits = append(traits, "expiry?")
	}
	if len(traits) > 0 {
		text += " with " + strings.Join(traits, " and ")
	}
	return text
}

// contextText prints a JSON object on one line, its names in the order they came.
func contextText(text string) string {
	v := jsontext.Value(text)
	if err := v.Format(jsontext.Multiline(false), jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true),
		jsontext.PreserveRawStrings(true)); err != nil || !utf8.Valid(v) {
		return text
	}
	return string(v)
}
