package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// Pemba speaks Pemba's own surface. Store is the store that is made and filled.
type Pemba struct{ Store string }

// Name returns pemba.
func (p *Pemba) Name() string { return "pemba" }

func (p *Pemba) path(rest string) string {
	return api.Prefix + "/stores/" + url.PathEscape(p.Store) + rest
}

func (p *Pemba) request(rest string, body any) (Request, error) {
	text, err := json.Marshal(body)
	return Request{Path: p.path(rest), Body: text}, err
}

// Begin makes the store, or finds it, and writes the schema.
func (p *Pemba) Begin(_ context.Context, call Call, d dataset.Dataset) error {
	if _, err := call(Request{Method: "PUT", Path: p.path("")}); err != nil {
		return fmt.Errorf("making store %s: %w", p.Store, err)
	}
	r, err := p.request("/schema", api.PutSchemaRequest{SchemaSource: api.SchemaSource{
		Files: []api.SchemaFile{{Name: d.Name() + ".pemba", Text: d.Schema()}}}})
	if err != nil {
		return err
	}
	r.Method = "PUT"
	if _, err = call(r); err != nil {
		return fmt.Errorf("writing the schema to store %s (is something else in it?): %w", p.Store, err)
	}
	return nil
}

// Settle reads a tuple, fully consistent: to answer, the node must have applied
// all writes.
func (p *Pemba) Settle(call Call) error {
	r, err := p.request("/tuples/read", api.ReadRequest{Consistency: api.FullyConsistent(), Page: api.Page{Limit: 1}})
	if err == nil {
		_, err = call(r)
	}
	return err
}

// MostTuples is 1,000: larger writes are taken, and hold up the others.
func (p *Pemba) MostTuples() int { return 1000 }

func question(q dataset.Question) api.Question {
	return api.Question{Object: q.Object.String(), Permission: q.Permission, Subject: q.Subject.String()}
}

// Check asks one question.
func (p *Pemba) Check(q dataset.Question) (Request, error) {
	return p.request("/check", api.CheckRequest{Question: question(q)})
}

var (
	allowedHead = []byte(`{"allowed":true,`)
	deniedHead  = []byte(`{"allowed":false,"result":"denied"`)
)

// Checked reads how an answer begins.
func (p *Pemba) Checked(body []byte) (bool, error) {
	switch {
	case bytes.HasPrefix(body, allowedHead):
		return true, nil
	case bytes.HasPrefix(body, deniedHead):
		return false, nil
	}
	return false, fmt.Errorf("an answer that is neither allowed nor denied: %.200s", body)
}

// Batch asks many questions.
func (p *Pemba) Batch(questions []dataset.Question) (Request, error) {
	request := api.BatchRequest{}
	for _, q := range questions {
		request.Checks = append(request.Checks, question(q))
	}
	return p.request("/check/batch", request)
}

// Batched looks for the member allowed, which each answer has once and nothing
// else in a body has; a problem has none, so that answers are missing then.
func (p *Pemba) Batched(body []byte, answers []bool) ([]bool, error) {
	member := []byte(`"allowed":`)
	for {
		i := bytes.Index(body, member)
		if i < 0 {
			return answers, nil
		}
		body = body[i+len(member):]
		answers = append(answers, bytes.HasPrefix(body, []byte("true")))
	}
}

// Objects asks for a page, or for a stream of all.
func (p *Pemba) Objects(l dataset.ObjectList, limit int) (Request, error) {
	r, err := p.request("/lookup/objects", api.LookupObjectsRequest{ObjectType: l.Type, Permission: l.Permission, Subject: l.Subject.String(),
		Page: api.Page{Limit: limit}})
	if limit == 0 {
		r.Accept = api.NDJSON
	}
	return r, err
}

// ObjectsFound reads the ids of a page or stream.
func (p *Pemba) ObjectsFound(body []byte, each func(id []byte)) error {
	return found(body, []byte(`"object":"`), each)
}

// Subjects asks for a stream of all.
func (p *Pemba) Subjects(l dataset.SubjectList) (Request, error) {
	r, err := p.request("/lookup/subjects", api.LookupSubjectsRequest{Object: l.Object.String(), Permission: l.Permission, SubjectType: l.Type})
	r.Accept = api.NDJSON
	return r, err
}

// SubjectsFound reads the ids of a stream.
func (p *Pemba) SubjectsFound(body []byte, each func(id []byte)) error {
	return found(body, []byte(`"subject":"`), each)
}

// found reads type:id behind a member's name. A stream must have its end.
func found(body, member []byte, each func(id []byte)) error {
	if !bytes.Contains(body, []byte(`"token":`)) {
		return errors.New("the list was cut off: it has no end")
	}
	quoted(body, member, func(name []byte) {
		_, id, _ := bytes.Cut(name, []byte(":"))
		each(id)
	})
	return nil
}

// Write touches and deletes tuples at once.
func (p *Pemba) Write(touched, deleted []tuple.Tuple) (Request, error) {
	request := api.WriteRequest{Operations: make([]api.Operation, 0, len(touched)+len(deleted))}
	for _, t := range touched {
		request.Operations = append(request.Operations, api.Operation{Op: api.Touch, Tuple: api.FromTuple(t)})
	}
	for _, t := range deleted {
		request.Operations = append(request.Operations, api.Operation{Op: api.Delete, Tuple: api.FromTuple(t)})
	}
	return p.request("/tuples/write", request)
}
