package schema

import (
	"fmt"

	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// seal resolves the usersets whose subjects the schema fixes. What the relation's
// brackets admit is for tuples: a sealed userset has none, so any subject may be named.
func (c *compiler) seal() {
	for _, tree := range c.trees {
		for _, d := range tree.Decls {
			if node, ok := d.(*ast.Sealed); ok {
				c.sealUserset(node)
			}
		}
	}
}

func (c *compiler) sealUserset(node *ast.Sealed) {
	object, name := node.Userset.Object, node.Userset.Relation
	subjects := []FixedSubject{}
	seen := map[FixedSubject]bool{}
	for _, s := range node.Subjects {
		if fixed, ok := c.fixedSubject(s); ok && !seen[fixed] {
			subjects = append(subjects, fixed)
			seen[fixed] = true
		}
	}
	t := c.object(object)
	if t == nil {
		return
	}
	r := c.relationOf(t, name)
	if r == nil {
		return
	}
	if r.Permission {
		c.report(name.Place, name.Width, "sealed_permission",
			fmt.Sprintf("%s#%s is a permission: no tuple writes it, so there is nothing to seal", t.Name, r.Name), "a relation", "")
		return
	}
	if _, ok := r.Sealed[object.ID]; ok {
		c.report(object.Place, object.Width, "duplicate_sealed", fmt.Sprintf("%s:%s#%s is sealed twice", t.Name, object.ID, r.Name), "",
			"name all subjects in one declaration")
		return
	}
	if r.AtMost > 0 && len(subjects) > r.AtMost {
		c.report(object.Place, object.Width, "at_most", fmt.Sprintf("%s#%s has at most %d subjects, and %d are fixed here",
			t.Name, r.Name, r.AtMost, len(subjects)), "", "")
	}
	if r.Sealed == nil {
		r.Sealed = map[string][]FixedSubject{}
	}
	r.Sealed[object.ID] = subjects
}

func (c *compiler) fixedSubject(s ast.Userset) (FixedSubject, bool) {
	t := c.object(s.Object)
	if t == nil {
		return FixedSubject{}, false
	}
	fixed := FixedSubject{Type: t.ID, ID: s.Object.ID}
	if s.Relation.Text != "" {
		r := c.relationOf(t, s.Relation)
		if r == nil {
			return FixedSubject{}, false
		}
		fixed.Relation = r.ID
	}
	return fixed, true
}

// sealedWalks refuses a sealed userset of a relation that something walks: an
// arrow and an owner go by tuples, and a sealed userset has none.
func (c *compiler) sealedWalks() {
	walked := map[tuple.RelationID]string{}
	for _, t := range c.typeOrder {
		for _, a := range t.Acts {
			walked[a.Owner] = "the owners that " + t.Name + " acts for"
		}
		for _, r := range t.Relations {
			if r.Rewrite == nil {
				continue
			}
			r.Rewrite.walk(func(e *Expr) {
				if e.Kind == Arrow || e.Kind == Every {
					walked[e.Relation] = "an arrow of " + t.Name + "#" + r.Name
				}
			})
		}
	}
	for _, tree := range c.trees {
		for _, d := range tree.Decls {
			node, ok := d.(*ast.Sealed)
			if !ok {
				continue
			}
			t := c.types[node.Userset.Object.Type]
			if t == nil {
				continue
			}
			r := t.names[node.Userset.Relation.Text]
			if r == nil {
				continue
			}
			if by, ok := walked[r.ID]; ok {
				place := node.Userset.Relation
				c.report(place.Place, place.Width, "sealed_walked", fmt.Sprintf("%s#%s is walked by %s, which goes by tuples: a sealed userset has none",
					t.Name, r.Name, by), "a relation that nothing walks", "write a tuple in its place, or name the object in the permission")
			}
		}
	}
}

// acts resolves on whose behalf the subjects of a type act.
func (c *compiler) acts() {
	for _, t := range c.typeOrder {
		seen := map[actsKey]bool{}
		for _, body := range t.bodies {
			if body.Body == nil {
				continue
			}
			for _, m := range body.Body.Members {
				if node, ok := m.(*ast.Acts); ok {
					c.actsFor(t, node, seen)
				}
			}
		}
	}
}

// actsKey tells lines of acts for apart.
type actsKey struct {
	owner tuple.RelationID
	on    tuple.TypeID
}

func (c *compiler) actsFor(t *typeSymbol, node *ast.Acts, seen map[actsKey]bool) {
	owner, on := c.relationOf(t, node.Owner), c.typeOf(node.On)
	if owner != nil && !c.walkable(owner, node.Owner, "acts_owner") {
		owner = nil
	}
	if on == nil {
		return
	}
	acts := Acts{On: on.ID, Permissions: map[tuple.RelationID]bool{}}
	for _, name := range node.Permissions {
		r := c.relationOf(on, name)
		if r == nil {
			continue
		}
		if acts.Permissions[r.ID] {
			c.report(name.Place, name.Width, "duplicate_name", fmt.Sprintf("%s is listed twice", name.Text), "", "")
		}
		acts.Permissions[r.ID] = true
	}
	if owner == nil {
		return
	}
	acts.Owner = owner.ID
	key := actsKey{acts.Owner, acts.On}
	if seen[key] {
		c.report(node.Owner.Place, node.Owner.Width, "duplicate_acts", fmt.Sprintf("type %s acts for %s on %s twice", t.Name, owner.Name, on.Name),
			"", "list all names in one line")
		return
	}
	seen[key] = true
	t.Type.Acts = append(t.Type.Acts, acts)
}

// claims resolves both sides of every claim; they are proven later.
func (c *compiler) claims() []*Claim {
	var claims []*Claim
	for _, tree := range c.trees {
		for _, d := range tree.Decls {
			node, ok := d.(*ast.Claim)
			if !ok {
				continue
			}
			if len(claims) == MaxClaims {
				c.report(node.Place, 1, "too_large", fmt.Sprintf("a schema has at most %d claims", MaxClaims), "", "")
				return claims
			}
			left, right := c.claimSide(node.Left), c.claimSide(node.Right)
			claim := &Claim{Kind: NeverHolds, Left: left, Right: right, Place: node.Place}
			switch {
			case node.Always:
				claim.Kind = AlwaysHolds
			case node.Grants:
				claim.Kind = NeverGrants
			}
			claims = append(claims, claim)
		}
	}
	return claims
}

func (c *compiler) claimSide(side ast.TypeRelation) tuple.RelationID {
	if t := c.typeOf(side.Type); t != nil {
		if r := c.relationOf(t, side.Relation); r != nil {
			return r.ID
		}
	}
	return 0
}
