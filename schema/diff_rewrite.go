package schema

import (
	"slices"
	"strings"
)

// compare says what replacing one rewrite by another does to its members. What
// stands in the brackets is compared elsewhere: here every Direct is the same.
func (d *differ) compare(a, b *Expr) Effect {
	before, after := canonicalText(d.old, a), canonicalText(d.new, b)
	if before == after {
		return NoEffect
	}
	switch {
	case a.Kind == Exclusion && b.Kind == Exclusion:
		return d.compare(a.Operands[0], b.Operands[0]).and(d.compare(a.Operands[1], b.Operands[1]).reversed())
	case b.Kind == Nobody, b.Kind == Exclusion && before == canonicalText(d.new, b.Operands[0]):
		return GrantsLess
	case a.Kind == Nobody, a.Kind == Exclusion && after == canonicalText(d.old, a.Operands[0]):
		return GrantsMore
	case a.Kind == Union || b.Kind == Union:
		return d.compareOperands(a, b, Union, GrantsMore)
	case a.Kind == Intersection || b.Kind == Intersection:
		return d.compareOperands(a, b, Intersection, GrantsLess)
	case a.Kind == Arrow && b.Kind == Every && after == "every "+before:
		return GrantsLess
	case a.Kind == Every && b.Kind == Arrow && before == "every "+after:
		return GrantsMore
	default:
		return GrantsOther
	}
}

// compareOperands says what operands that came and went do, where one more has
// the effect added.
func (d *differ) compareOperands(a, b *Expr, kind Kind, added Effect) Effect {
	before, after := operandTexts(d.old, a, kind), operandTexts(d.new, b, kind)
	effect := NoEffect
	if len(missing(before, after)) > 0 {
		effect = added.reversed()
	}
	if len(missing(after, before)) > 0 {
		effect = effect.and(added)
	}
	return effect
}

// operandTexts are the operands of an expression of a kind, or it alone.
func operandTexts(s *Schema, e *Expr, kind Kind) []string {
	if e.Kind != kind {
		return []string{canonicalText(s, e)}
	}
	texts := make([]string, len(e.Operands))
	for i, o := range e.Operands {
		texts[i] = canonicalText(s, o)
	}
	return texts
}

// canonicalText is the same for two rewrites that mean the same by name,
// whatever the order of their operands.
func canonicalText(s *Schema, e *Expr) string {
	switch e.Kind {
	case Direct:
		return "[]"
	case Union, Intersection:
		texts := operandTexts(s, e, e.Kind)
		slices.Sort(texts)
		operator := " or "
		if e.Kind == Intersection {
			operator = " and "
		}
		return "(" + strings.Join(slices.Compact(texts), operator) + ")"
	case Exclusion:
		return "(" + canonicalText(s, e.Operands[0]) + " except " + canonicalText(s, e.Operands[1]) + ")"
	default:
		return s.Text(nil, e)
	}
}
