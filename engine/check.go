package engine

import (
	"context"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Check answers one question over a view. In comes a name and two ends, out goes
// allowed, denied or conditional; every fourth outcome is the error: a name that
// the schema lacks, a condition that fails where it decides, a spent budget, a
// cancelled context, or the reader's own.
func Check(ctx context.Context, v View, q Question) (Answer, error) {
	e, err := begin(ctx, &v)
	if err != nil {
		return Answer{}, err
	}
	a, err := e.check(&q)
	e.end()
	return a, err
}

// Result is an answer of a batch, or the error in its place.
type Result struct {
	Answer Answer
	Err    error
}

// CheckAll answers many questions over one view, in their order. Each is answered
// as Check would; what one has found out serves the next. The error is the view's
// or the context's; a question's own stands in its Result, a spent budget in
// those of all that come after. It uses one goroutine: who has many questions
// spreads them, since several CheckAll may read one view at once.
func CheckAll(ctx context.Context, v View, questions []Question) ([]Result, error) {
	e, err := begin(ctx, &v)
	if err != nil {
		return nil, err
	}
	defer e.end()
	defer e.unread()
	results := make([]Result, len(questions))
	for from := 0; from < len(questions); from += lookAhead {
		asked := questions[from:min(from+lookAhead, len(questions))]
		readings := e.readAll(asked)
		for i := range readings {
			r := &results[from+i]
			r.Answer, r.Err = e.checkRead(&readings[i])
			if r.Err != nil && ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
		}
	}
	return results, nil
}

// lookAhead is how many questions are read before the first of them is answered.
const lookAhead = 32

// reading is a question whose names have been looked up in the schema, or the
// error of that.
type reading struct {
	object, about     tuple.ObjectName
	relation, through tuple.RelationID
	err               error
}

// readAll reads questions, and tells a reader that wants to know it what they are
// about. What it returns is good until the next call.
func (e *evaluation) readAll(questions []Question) []reading {
	e.readings = e.readings[:0]
	for i := range questions {
		e.readings = append(e.readings, e.read(&questions[i]))
	}
	if f, ok := e.graph.base.(Forerunner); ok && len(questions) > 1 {
		e.objects, e.abouts = e.objects[:0], e.abouts[:0]
		for i := range e.readings {
			if r := &e.readings[i]; r.err == nil {
				e.objects, e.abouts = append(e.objects, r.object), append(e.abouts, r.about)
			}
		}
		f.Ahead(e.objects, e.abouts)
	}
	return e.readings
}

// unread lets go of the questions' text.
func (e *evaluation) unread() {
	clear(e.readings[:cap(e.readings)])
	clear(e.objects[:cap(e.objects)])
	clear(e.abouts[:cap(e.abouts)])
}

func (e *evaluation) check(q *Question) (Answer, error) {
	r := e.read(q)
	return e.checkRead(&r)
}

func (e *evaluation) checkRead(r *reading) (Answer, error) {
	key, err := e.key(r)
	if err != nil {
		return Answer{}, err
	}
	v, err := e.decide(key)
	if err != nil {
		return Answer{}, err
	}
	return e.answer(v)
}

// decide finds an atom's value. What earlier questions found out is dropped once
// it weighs as much as one question may; the limit is each question's own.
func (e *evaluation) decide(key atomKey) (value, error) {
	if err := e.pace(); err != nil { // a batch goes on as long as its context stands
		return never, err
	}
	if len(e.atoms) > e.limit {
		ref := e.subjects[key.subject].ref
		e.forget()
		var err error
		if key.subject, err = e.subjectNumber(ref); err != nil {
			return never, err
		}
	}
	if e.asked != key.subject {
		e.asked, e.begun, e.next = key.subject, e.steps, firstClimbs
	}
	e.most = len(e.atoms) + e.limit
	return e.solve(key)
}

// read finds the names of a question in the schema.
func (e *evaluation) read(q *Question) (r reading) {
	if r.object, r.relation, r.err = e.targetName(q.Object, q.Permission); r.err != nil {
		return r
	}
	if r.err = valid(q.Subject); r.err != nil {
		return r
	}
	r.about, r.through, r.err = e.subjectName(q.Subject)
	return r
}

// key numbers a question.
func (e *evaluation) key(r *reading) (atomKey, error) {
	if r.err != nil {
		return atomKey{}, r.err
	}
	n, m, err := e.graph.pair(r.object, r.about)
	if err != nil {
		return atomKey{}, err
	}
	subject, err := e.subjectNumber(tuple.Ref{Node: m, Relation: r.through})
	return atomKey{n, r.relation, subject}, err
}

// valid checks the form of a subject that was not parsed from text; its names
// are the schema's to know.
func valid(s tuple.Subject) error {
	if s.IsWildcard() && s.IsUserset() {
		return &tuple.SyntaxError{Text: s.String(), Offset: len(s.Type) + 1, Reason: "a wildcard subject has no relation"}
	}
	return tuple.ValidID(s.ID)
}

// target numbers an object and a name of its type.
func (e *evaluation) target(o tuple.Object, name string) (tuple.Node, tuple.RelationID, error) {
	object, relation, err := e.targetName(o, name)
	if err != nil {
		return 0, 0, err
	}
	n, err := e.graph.Node(object.Type, object.ID)
	return n, relation, err
}

// targetName reads an object and a name of its type.
func (e *evaluation) targetName(o tuple.Object, name string) (tuple.ObjectName, tuple.RelationID, error) {
	t, r, err := e.relationNamed(o.Type, name)
	if err != nil {
		return tuple.ObjectName{}, 0, err
	}
	if err := e.exists(t, o.ID); err != nil {
		return tuple.ObjectName{}, 0, err
	}
	if o.ID == tuple.Wildcard {
		return tuple.ObjectName{}, 0, &tuple.SyntaxError{Text: o.String(), Offset: len(o.Type) + 1, Reason: "an object's id may not be the wildcard *: only a subject's may"}
	}
	return tuple.ObjectName{Type: t.ID, ID: o.ID}, r.ID, tuple.ValidID(o.ID)
}

// answer turns a final value into the outcome that users see.
func (e *evaluation) answer(v value) (Answer, error) {
	switch v.lower {
	case holds:
		return Answer{Outcome: Allowed}, nil
	case unknown:
		k := e.list[v.lowerWhy]
		if k.err != nil {
			return Answer{}, k.err
		}
		return Answer{Outcome: Conditional, Missing: k.missing}, nil
	}
	return Answer{}, nil
}
