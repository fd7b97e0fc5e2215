package engine_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// world is a random schema with random tuples, small enough to ground.
type world struct {
	rnd        *rand.Rand
	schema     *schema.Schema
	kinds      []string // the types
	stored     []tuple.Tuple
	contextual []tuple.Tuple
	given      map[string]bool // the request's context
	objects    []tuple.Object  // all that the reference grounds
	subjects   []tuple.Subject
	names      map[string][]string // of each type: relations, then permissions
	relations  map[string][]string // of each type: relations alone
	texts      []string            // the schema, for people
	generous   bool                // most operators are unions, so that more is allowed
}

const ids = 3

// unnamed is the id of a subject that nothing names.
const unnamed = "nobody-in-particular"

// newWorld draws a world from a seed.
func newWorld(seed uint64) *world {
	w := &world{rnd: rand.New(rand.NewPCG(seed, 1)), names: map[string][]string{}, relations: map[string][]string{}, given: map[string]bool{}}
	w.kinds = []string{"user", "group", "doc", "key"}[:2+w.rnd.IntN(3)]
	w.generous = w.chance(50)
	b := newBuilder(w.kinds...)
	w.conditions(b)
	for _, t := range w.kinds[1:] {
		for i := range 1 + w.rnd.IntN(2) {
			w.relations[t] = append(w.relations[t], fmt.Sprint("r", i))
		}
		w.names[t] = append(w.names[t], w.relations[t]...)
		for i := range 1 + w.rnd.IntN(3) {
			w.names[t] = append(w.names[t], fmt.Sprint("p", i))
		}
	}
	for _, t := range w.kinds[1:] {
		for _, n := range w.names[t] {
			w.define(b, t, n)
		}
	}
	w.acting(b)
	w.schema = b.schema()
	w.seal()
	w.populate()
	return w
}

func (w *world) chance(percent int) bool { return w.rnd.IntN(100) < percent }

func pick[T any](w *world, list []T) T { return list[w.rnd.IntN(len(list))] }

func (w *world) conditions(b *builder) {
	for name, body := range map[string]string{"a": "a", "b": "b", "fails": "1 / zero == 1"} {
		param := condition.Param{Name: name, Type: "bool"}
		if name == "fails" {
			param = condition.Param{Name: "zero", Type: "int"}
		}
		b.condition(name, body, param)
	}
	for _, name := range []string{"a", "b"} {
		if w.chance(40) {
			w.given[name] = w.chance(50)
		}
	}
}

func (w *world) define(b *builder, t, n string) {
	w.texts = append(w.texts, "")
	text := &w.texts[len(w.texts)-1]
	if n[0] == 'p' {
		m, s := w.expr(t, 3)
		*text = fmt.Sprintf("%s#%s = %s", t, n, s)
		b.permission(t, n, m)
		return
	}
	list := w.shapes()
	m, s := direct(), strings.Join(list, " | ")
	if w.chance(25) {
		other, os := w.expr(t, 2)
		m, s = or(direct(), other), s+" or "+os
	}
	*text = fmt.Sprintf("%s#%s: %s", t, n, s)
	b.relation(t, n, list, m)
}

func (w *world) shapes() []string {
	var list []string
	for range 1 + w.rnd.IntN(4) {
		t := pick(w, w.kinds)
		s := t
		switch {
		case t != "user" && w.chance(45):
			s += "#" + pick(w, w.names[t])
		case w.chance(25):
			s += ":*"
		}
		if w.chance(25) {
			s += " with " + pick(w, []string{"a", "a", "b", "b", "fails"})
		}
		if w.chance(20) {
			s += pick(w, []string{" expiry", " expiry?"})
		}
		list = append(list, s)
	}
	return list
}

// expr draws an expression of a type, with its text.
func (w *world) expr(t string, depth int) (maker, string) {
	if depth > 0 && w.chance(65) {
		l, ls := w.expr(t, depth-1)
		r, rs := w.expr(t, depth-1)
		operator := w.rnd.IntN(3)
		if w.generous && w.chance(60) {
			operator = 0
		}
		switch operator {
		case 0:
			return or(l, r), fmt.Sprintf("(%s or %s)", ls, rs)
		case 1:
			return and(l, r), fmt.Sprintf("(%s and %s)", ls, rs)
		}
		return except(l, r), fmt.Sprintf("(%s except %s)", ls, rs)
	}
	switch w.rnd.IntN(12) {
	case 0:
		return self(), "self"
	case 1:
		return nobody(), "nobody"
	case 2:
		u := pick(w, w.kinds[1:])
		n, id := pick(w, w.names[u]), fmt.Sprintf("%s:%d", u, w.rnd.IntN(ids))
		return fixed(id, n), id + "#" + n
	case 3, 4, 5:
		ts, target := pick(w, w.relations[t]), pick(w, w.names[pick(w, w.kinds[1:])])
		return arrow(ts, target), ts + "->" + target
	case 6:
		ts, target := pick(w, w.relations[t]), pick(w, w.names[pick(w, w.kinds[1:])])
		return every(ts, target), "every " + ts + "->" + target
	}
	n := pick(w, w.names[t])
	return name(n), n
}

// acting makes keys act for their r0 on another type.
func (w *world) acting(b *builder) {
	if len(w.kinds) < 4 || w.chance(30) {
		return
	}
	b.later = append(b.later, func() {
		on := pick(w, w.kinds[1:])
		a := schema.Acts{Owner: b.named(b.typ("key").ID, "r0").ID, On: b.typ(on).ID, Permissions: map[tuple.RelationID]bool{}}
		for _, n := range w.names[on] {
			if w.chance(60) {
				a.Permissions[b.named(a.On, n).ID] = true
				w.texts = append(w.texts, fmt.Sprintf("key acts for r0 on %s: %s", on, n))
			}
		}
		b.typ("key").Acts = []schema.Acts{a}
	})
}

// seal fixes a userset now and then.
func (w *world) seal() {
	if w.chance(75) {
		return
	}
	t := pick(w, w.kinds[1:])
	r := w.schema.Type(t).Relation(pick(w, w.names[t]))
	id := fmt.Sprint(w.rnd.IntN(ids))
	var fixed []schema.FixedSubject
	for range 1 + w.rnd.IntN(2) {
		s := w.subject()
		f := schema.FixedSubject{Type: w.schema.Type(s.Type).ID, ID: s.ID}
		if s.Relation != "" {
			f.Relation = w.schema.Type(s.Type).Relation(s.Relation).ID
		}
		fixed = append(fixed, f)
		w.texts = append(w.texts, fmt.Sprintf("sealed %s:%s#%s = %s", t, id, r.Name, s))
	}
	r.Sealed = map[string][]schema.FixedSubject{id: fixed}
}

// subject draws any subject of the universe.
func (w *world) subject() tuple.Subject {
	t := pick(w, w.kinds)
	s := tuple.Subject{Type: t, ID: fmt.Sprint(w.rnd.IntN(ids))}
	switch {
	case t != "user" && w.chance(40):
		s.Relation = pick(w, w.names[t])
	case w.chance(15):
		s.ID = tuple.Wildcard
	}
	return s
}

// populate draws tuples and the universe.
func (w *world) populate() {
	for range w.rnd.IntN(45) {
		w.stored = append(w.stored, w.tuple())
	}
	if w.chance(30) {
		seen := map[tuple.Key]bool{}
		for range 1 + w.rnd.IntN(4) {
			t := w.tuple()
			if !seen[t.Key] && w.admitted(t) {
				seen[t.Key] = true
				w.contextual = append(w.contextual, t)
			}
		}
	}
	for _, t := range w.kinds {
		for i := range ids + 1 { // one more than tuples name
			o := tuple.Object{Type: t, ID: fmt.Sprint(i)}
			w.objects = append(w.objects, o)
			w.subjects = append(w.subjects, tuple.Subject{Type: t, ID: o.ID})
			for _, n := range w.names[t] {
				w.subjects = append(w.subjects, tuple.Subject{Type: t, ID: o.ID, Relation: n})
			}
		}
		w.subjects = append(w.subjects, tuple.Subject{Type: t, ID: tuple.Wildcard}, tuple.Subject{Type: t, ID: unnamed})
	}
}

// tuple draws a tuple, mostly one that a relation admits.
func (w *world) tuple() tuple.Tuple {
	t := pick(w, w.kinds[1:])
	r := w.schema.Type(t).Relation(pick(w, w.relations[t]))
	shape := pick(w, r.Shapes)
	var out tuple.Tuple
	out.Object = tuple.Object{Type: t, ID: fmt.Sprint(w.rnd.IntN(ids))}
	out.Relation = r.Name
	out.Subject = tuple.Subject{Type: w.schema.TypeByID(shape.Type).Name, ID: fmt.Sprint(w.rnd.IntN(ids))}
	if shape.Relation != 0 {
		out.Subject.Relation = w.schema.Relation(shape.Relation).Name
	}
	if shape.Wildcard {
		out.Subject.ID = tuple.Wildcard
	}
	if shape.Condition != 0 {
		name := w.schema.Condition(shape.Condition).Name
		out.Condition.Name = name
		if name == "fails" {
			out.Condition.Context = `{"zero":0}`
		} else if w.chance(50) {
			out.Condition.Context = tuple.Context(fmt.Sprintf(`{"%s":%v}`, name, w.chance(60)))
		}
	}
	if shape.Expiry == schema.ExpiryRequired || shape.Expiry == schema.ExpiryOptional && w.chance(50) {
		out.Expires = noon.Add(time.Duration(w.rnd.IntN(3)-1) * time.Nanosecond)
	}
	if w.chance(4) { // a leftover of an older schema
		out.Subject = w.subject()
	}
	return out
}

// admitted says whether the engine would accept a tuple as contextual.
func (w *world) admitted(t tuple.Tuple) bool {
	r := newReferenceOf(w)
	rel := w.schema.Type(t.Object.Type).Relation(t.Relation)
	_, sealed := rel.Sealed[t.Object.ID]
	live := t
	live.Expires = time.Time{}
	if !t.Expires.IsZero() {
		live.Expires = noon.Add(time.Hour)
	}
	return !sealed && r.counts(live)
}

// newReferenceOf makes a reference that has computed nothing yet.
func newReferenceOf(w *world) *reference { return &reference{schema: w.schema, now: noon} }

func (w *world) reference(subjects []tuple.Subject) *reference {
	return newReference(w.schema, w.stored, w.contextual, noon, w.given, w.objects, subjects)
}

func (w *world) view() engine.View {
	r, err := memory.New(w.schema, w.stored)
	if err != nil {
		panic(err)
	}
	request := &condition.Request{Values: map[string][]byte{}}
	for name, b := range w.given {
		request.Values[name] = fmt.Append(nil, b)
	}
	return engine.View{Schema: w.schema, Admission: admission(w.schema), Reader: r, Now: noon, Context: request, Contextual: w.contextual}
}

// String shows the world as a person would write it.
func (w *world) String() string {
	var b strings.Builder
	for _, t := range w.texts {
		fmt.Fprintln(&b, "  ", t)
	}
	for _, t := range w.stored {
		fmt.Fprintln(&b, "  ", t)
	}
	for _, t := range w.contextual {
		fmt.Fprintln(&b, "   contextual", t)
	}
	fmt.Fprintln(&b, "   context", w.given)
	return b.String()
}
