package openfga

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// jsonModel reads the JSON form of a model, with names in snake case or camel case.
type jsonModel struct {
	report *dialect.Reporter
	model  *model
	typ    *typeDef
	order  int
}

// parseJSON reads a model from its JSON form; nil when it is none.
func parseJSON(f source.File, report *dialect.Reporter) *model {
	j := &jsonModel{report: report, model: &model{}}
	root := readJSON(f, report)
	if root == nil {
		return nil
	}
	if inner := root.field("authorization_model"); inner != nil {
		root = inner
	}
	if !j.object(root, "the model", "id", "schema_version", "schemaVersion", "type_definitions", "typeDefinitions", "conditions") {
		return nil
	}
	j.model.version = root.field("schema_version", "schemaVersion").str()
	if j.model.version.Place.Line == 0 {
		j.model.version.Place = root.place
	}
	if types := root.field("type_definitions", "typeDefinitions"); types != nil {
		for _, t := range types.items {
			j.typeDef(t)
		}
	}
	if conditions := root.field("conditions"); conditions != nil {
		for _, m := range conditions.members {
			j.condition(m)
		}
	}
	return j.model
}

func (j *jsonModel) refuse(at source.Place, message string) {
	j.report.Refuse("bad_model", at, 1, message, "")
}

// object checks that n is an object with no other members than those named.
func (j *jsonModel) object(n *node, what string, allowed ...string) bool {
	if n == nil || n.kind != '{' {
		if n != nil {
			j.refuse(n.place, what+" must be an object")
		}
		return false
	}
	for _, m := range n.members {
		if !slices.Contains(allowed, m.name.Text) {
			j.report.Refuse("unknown_field", m.name.Place, len(m.name.Text)+2,
				fmt.Sprintf("%s has the unknown field %q", what, tuple.Clip(m.name.Text)), "one of "+strings.Join(allowed, ", "))
		}
	}
	return true
}

func (j *jsonModel) typeDef(n *node) {
	if !j.object(n, "a type definition", "type", "relations", "metadata") {
		return
	}
	t := &typeDef{name: n.field("type").str(), order: j.order}
	j.order++
	j.typ = t
	if t.name.Place.Line == 0 {
		t.name.Place = n.place
	}
	j.model.types = append(j.model.types, t)
	metadata := n.field("metadata")
	if metadata != nil {
		j.object(metadata, "the metadata of a type", "relations", "module", "source_info", "sourceInfo")
	}
	described := metadata.field("relations")
	if relations := n.field("relations"); relations != nil && relations.kind == '{' {
		for _, m := range relations.members {
			r := &relationDef{name: m.name}
			j.metadata(r, described.field(m.name.Text))
			r.rewrite = j.rewrite(m.value)
			t.relations = append(t.relations, r)
		}
	}
	if described == nil {
		return
	}
	for _, m := range described.members {
		if n.field("relations").field(m.name.Text) == nil {
			j.refuse(m.name.Place, fmt.Sprintf("the metadata describes %q, which type %s does not define", tuple.Clip(m.name.Text), t.name.Text))
		}
	}
}

// metadata reads the type restrictions of a relation.
func (j *jsonModel) metadata(r *relationDef, n *node) {
	if n == nil || !j.object(n, "the metadata of a relation", "directly_related_user_types", "directlyRelatedUserTypes", "module", "source_info", "sourceInfo") {
		return
	}
	list := n.field("directly_related_user_types", "directlyRelatedUserTypes")
	if list == nil {
		return
	}
	for _, item := range list.items {
		if !j.object(item, "a type restriction", "type", "relation", "wildcard", "condition") {
			continue
		}
		r.assignable = true
		d := restriction{typ: item.field("type").str(), relation: item.field("relation").str(),
			wildcard: item.field("wildcard") != nil, condition: item.field("condition").str()}
		if d.typ.Place.Line == 0 {
			d.typ.Place = item.place
		}
		if d.wildcard && d.relation.Text != "" {
			j.refuse(item.place, "a type restriction has a relation or a wildcard, not both")
			d.wildcard = false
		}
		r.direct = append(r.direct, d)
	}
}

// rewrite reads one node of a relation's definition; nil when it is refused.
func (j *jsonModel) rewrite(n *node) *rewrite {
	if n.kind != '{' || len(n.members) != 1 {
		j.refuse(n.place, fmt.Sprintf("a definition of type %s has exactly one of this, computedUserset, tupleToUserset, union, intersection, difference", j.typ.name.Text))
		return nil
	}
	m := n.members[0]
	switch m.name.Text {
	case "this":
		return &rewrite{operator: this, place: m.name.Place}
	case "computedUserset", "computed_userset":
		return &rewrite{operator: computed, place: m.name.Place, relation: j.relation(m.value)}
	case "tupleToUserset", "tuple_to_userset":
		if !j.object(m.value, "a tupleToUserset", "tupleset", "computedUserset", "computed_userset") {
			return nil
		}
		return &rewrite{operator: fromTupleset, place: m.name.Place, tupleset: j.relation(m.value.field("tupleset")),
			relation: j.relation(m.value.field("computedUserset", "computed_userset"))}
	case "union", "intersection":
		if !j.object(m.value, "a "+m.name.Text, "child") {
			return nil
		}
		op := union
		if m.name.Text == "intersection" {
			op = intersection
		}
		child := m.value.field("child")
		if child == nil || len(child.items) == 0 {
			j.refuse(m.value.place, "a "+m.name.Text+" has at least one child")
			return nil
		}
		return j.operation(op, m.name.Place, child.items...)
	case "difference":
		if !j.object(m.value, "a difference", "base", "subtract") {
			return nil
		}
		base, subtract := m.value.field("base"), m.value.field("subtract")
		if base == nil || subtract == nil {
			j.refuse(m.value.place, "a difference has a base and a subtract")
			return nil
		}
		return j.operation(difference, m.name.Place, base, subtract)
	}
	j.report.Refuse("unknown_field", m.name.Place, len(m.name.Text)+2, fmt.Sprintf("a definition has the unknown field %q", tuple.Clip(m.name.Text)),
		"one of this, computedUserset, tupleToUserset, union, intersection, difference")
	return nil
}

func (j *jsonModel) operation(op operator, at source.Place, operands ...*node) *rewrite {
	whole := &rewrite{operator: op, place: at}
	for _, o := range operands {
		read := j.rewrite(o)
		if read == nil {
			return nil
		}
		whole.operands = append(whole.operands, read)
	}
	if len(whole.operands) == 1 {
		return whole.operands[0]
	}
	return whole
}

// relation reads {"relation": "viewer"}; the field object, where present, is empty.
func (j *jsonModel) relation(n *node) name {
	if n == nil || !j.object(n, "a reference to a relation", "object", "relation") {
		return name{}
	}
	r := n.field("relation").str()
	if o := n.field("object"); o != nil && o.text != "" {
		j.refuse(o.place, "a reference to a relation of one fixed object cannot be carried over")
	}
	if r.Text == "" {
		j.refuse(n.place, "a reference to a relation names none")
		r.Place = n.place
	}
	return r
}

func (j *jsonModel) condition(m member) {
	c := &conditionDef{name: m.name, order: j.order, quoted: true}
	j.order++
	j.model.conditions = append(j.model.conditions, c)
	if !j.object(m.value, "a condition", "name", "expression", "parameters", "metadata") {
		return
	}
	if n := m.value.field("name").str(); n.Text != m.name.Text {
		j.refuse(m.value.place, fmt.Sprintf("the condition %q names itself %q", tuple.Clip(m.name.Text), tuple.Clip(n.Text)))
	}
	c.body = m.value.field("expression").str()
	if c.body.Place.Line == 0 {
		c.body.Place = m.value.place
	}
	if length, closed := dialect.CELLength(c.body.Text + "\n}"); !closed || length != len(c.body.Text)+1 {
		j.refuse(c.body.Place, "the braces or strings of the condition's expression do not close")
	}
	parameters := m.value.field("parameters")
	if parameters == nil {
		return
	}
	for _, p := range parameters.members {
		if typ := j.paramType(p.value, true); typ != "" {
			c.params = append(c.params, paramDef{name: p.name, typ: typ})
		}
	}
}

// paramType reads {"type_name": "TYPE_NAME_LIST", "generic_types": […]}.
func (j *jsonModel) paramType(n *node, mayNest bool) string {
	if !j.object(n, "the type of a parameter", "type_name", "typeName", "generic_types", "genericTypes") {
		return ""
	}
	given := n.field("type_name", "typeName").str()
	typ := strings.ToLower(strings.TrimPrefix(given.Text, "TYPE_NAME_"))
	generic, known := paramTypes[typ]
	if !known || typ == given.Text || generic && !mayNest {
		j.refuse(n.place, fmt.Sprintf("%q is no type of a parameter here", tuple.Clip(given.Text)))
		return ""
	}
	elements := n.field("generic_types", "genericTypes")
	if !generic {
		return typ
	}
	if elements == nil || len(elements.items) != 1 {
		j.refuse(n.place, typ+" needs the type of its elements")
		return ""
	}
	element := j.paramType(elements.items[0], false)
	if element == "" {
		return ""
	}
	return typ + "<" + element + ">"
}
