package schema

import (
	"fmt"
	"strings"
)

// Text returns a part of a relation's rewrite as the language has it, names and
// all: for answers about the schema, never for comparing places in a source.
func (s *Schema) Text(r *Relation, e *Expr) string {
	switch e.Kind {
	case Direct:
		return s.ShapesText(r)
	case Computed:
		return s.Relation(e.Relation).Name
	case Arrow:
		return s.Relation(e.Relation).Name + "->" + s.targetName(e)
	case Every:
		return "every " + s.Relation(e.Relation).Name + "->" + s.targetName(e)
	case Fixed:
		return fmt.Sprintf("%s:%s#%s", s.typeName(e.Object), e.Object.ID, s.Relation(e.Relation).Name)
	case Self:
		return "self"
	case Union:
		return s.operands(r, e, " or ")
	case Intersection:
		return s.operands(r, e, " and ")
	case Exclusion:
		return s.operands(r, e, " except ")
	default:
		return "nobody"
	}
}

// operands joins the operands, each in parentheses that has operands itself.
func (s *Schema) operands(r *Relation, e *Expr, operator string) string {
	texts := make([]string, len(e.Operands))
	for i, o := range e.Operands {
		texts[i] = s.Text(r, o)
		if len(o.Operands) > 0 {
			texts[i] = "(" + texts[i] + ")"
		}
	}
	return strings.Join(texts, operator)
}

// targetName is the name on the other side of an arrow: it is the same for all
// types that have it.
func (s *Schema) targetName(e *Expr) string {
	if len(e.Targets) == 0 {
		return "nobody"
	}
	return s.Relation(e.Targets[0].Relation).Name
}

func (s *Schema) typeName(f FixedSubject) string { return s.TypeByID(f.Type).Name }

// ShapesText returns what stands in a relation's brackets, with its limit.
func (s *Schema) ShapesText(r *Relation) string {
	texts := make([]string, len(r.Shapes))
	for i, shape := range r.Shapes {
		texts[i] = s.ShapeText(shape)
	}
	text := "[" + strings.Join(texts, " | ") + "]"
	if r.AtMost > 0 {
		text += fmt.Sprintf(" at most %d", r.AtMost)
	}
	return text
}

// ShapeText returns one kind of subject as it stands in brackets.
func (s *Schema) ShapeText(shape Shape) string {
	named := AdmissionShape{Type: s.TypeByID(shape.Type).Name, Wildcard: shape.Wildcard, Expiry: shape.Expiry}
	if shape.Relation != 0 {
		named.Relation = s.Relation(shape.Relation).Name
	}
	if shape.Condition != 0 {
		named.Condition = s.Condition(shape.Condition).Name
	}
	return named.String()
}

// SealedText returns the subjects that a userset is sealed to.
func (s *Schema) SealedText(subjects []FixedSubject) string {
	texts := make([]string, len(subjects))
	for i, f := range subjects {
		texts[i] = s.typeName(f) + ":" + f.ID
		if f.Relation != 0 {
			texts[i] += "#" + s.Relation(f.Relation).Name
		}
	}
	return strings.Join(texts, ", ")
}
