package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// OpenFGA speaks the HTTP API of an OpenFGA server.
type OpenFGA struct{ store, model string }

// Name returns openfga.
func (o *OpenFGA) Name() string { return "openfga" }

// What an OpenFGA server takes unless it is set up otherwise.
const (
	openfgaTuples = 100 // of a write
	openfgaChecks = 50  // of a batch
)

// jsonObject is a JSON object that is put together.
type jsonObject map[string]any

func post(path string, body any) (Request, error) {
	text, err := json.Marshal(body)
	return Request{Path: path, Body: text}, err
}

// ask sends a request and reads the answer into a value.
func ask(call Call, path string, body, answer any) error {
	r, err := post(path, body)
	if err != nil {
		return err
	}
	text, err := call(r)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, answer)
}

// Begin makes a new store and writes the dataset's schema as a model.
func (o *OpenFGA) Begin(_ context.Context, call Call, d dataset.Dataset) error {
	s, err := compiled(d)
	if err != nil {
		return err
	}
	var store struct {
		ID string `json:"id"`
	}
	if err := ask(call, "/stores", jsonObject{"name": d.Name()}, &store); err != nil {
		return fmt.Errorf("making a store: %w", err)
	}
	o.store = store.ID
	var model struct {
		ID string `json:"authorization_model_id"`
	}
	if err := ask(call, o.path("/authorization-models"), openfgaModel(s), &model); err != nil {
		return fmt.Errorf("writing the model: %w", err)
	}
	o.model = model.ID
	return nil
}

// Settle returns at once: a write is read as soon as it is answered.
func (o *OpenFGA) Settle(Call) error { return nil }

func (o *OpenFGA) path(rest string) string { return "/stores/" + o.store + rest }

func openfgaModel(s *schema.Schema) jsonObject {
	var types []jsonObject
	for _, t := range s.Types {
		relations, metadata := jsonObject{}, jsonObject{}
		for _, r := range t.Relations {
			relations[r.Name] = openfgaRewrite(s, r.Rewrite)
			if r.Permission {
				continue
			}
			var shapes []jsonObject
			for _, shape := range r.Shapes {
				subject := jsonObject{"type": s.TypeByID(shape.Type).Name}
				if shape.Wildcard {
					subject["wildcard"] = jsonObject{}
				} else if shape.Relation != 0 {
					subject["relation"] = s.Relation(shape.Relation).Name
				}
				shapes = append(shapes, subject)
			}
			metadata[r.Name] = jsonObject{"directly_related_user_types": shapes}
		}
		typ := jsonObject{"type": t.Name}
		if len(relations) > 0 {
			typ["relations"], typ["metadata"] = relations, jsonObject{"relations": metadata}
		}
		types = append(types, typ)
	}
	return jsonObject{"schema_version": "1.1", "type_definitions": types}
}

func openfgaRewrite(s *schema.Schema, x *schema.Expr) jsonObject {
	var operands []jsonObject
	for _, o := range x.Operands {
		operands = append(operands, openfgaRewrite(s, o))
	}
	switch x.Kind {
	case schema.Computed:
		return jsonObject{"computedUserset": jsonObject{"relation": s.Relation(x.Relation).Name}}
	case schema.Arrow:
		return jsonObject{"tupleToUserset": jsonObject{"tupleset": jsonObject{"relation": s.Relation(x.Relation).Name},
			"computedUserset": jsonObject{"relation": arrowName(s, x)}}}
	case schema.Union:
		return jsonObject{"union": jsonObject{"child": operands}}
	case schema.Intersection:
		return jsonObject{"intersection": jsonObject{"child": operands}}
	case schema.Exclusion:
		return jsonObject{"difference": jsonObject{"base": operands[0], "subtract": operands[1]}}
	}
	return jsonObject{"this": jsonObject{}}
}

func (o *OpenFGA) key(q dataset.Question) jsonObject {
	return jsonObject{"user": q.Subject.String(), "relation": q.Permission, "object": q.Object.String()}
}

// Check asks one question.
func (o *OpenFGA) Check(q dataset.Question) (Request, error) {
	return post(o.path("/check"), jsonObject{"tuple_key": o.key(q), "authorization_model_id": o.model})
}

// Checked reads an answer.
func (o *OpenFGA) Checked(body []byte) (bool, error) {
	var answer struct {
		Allowed *bool `json:"allowed"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return false, err
	}
	if answer.Allowed == nil {
		return false, fmt.Errorf("an answer that says neither allowed nor not: %.200s", body)
	}
	return *answer.Allowed, nil
}

// Batch asks up to 50 questions.
func (o *OpenFGA) Batch(questions []dataset.Question) (Request, error) {
	if len(questions) > openfgaChecks {
		return Request{}, unsupported(fmt.Sprintf("a batch of %d; openfga takes %d", len(questions), openfgaChecks))
	}
	var checks []jsonObject
	for i, q := range questions {
		checks = append(checks, jsonObject{"tuple_key": o.key(q), "correlation_id": strconv.Itoa(i)})
	}
	return post(o.path("/batch-check"), jsonObject{"checks": checks, "authorization_model_id": o.model})
}

// Batched reads answers, which come by the numbers of their questions.
func (o *OpenFGA) Batched(body []byte, answers []bool) ([]bool, error) {
	var answer struct {
		Result map[string]struct {
			Allowed *bool `json:"allowed"`
			Error   any   `json:"error"`
		} `json:"result"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return answers, err
	}
	for i := range len(answer.Result) {
		a, ok := answer.Result[strconv.Itoa(i)]
		if !ok || a.Allowed == nil || a.Error != nil {
			return answers, fmt.Errorf("question %d of the batch has no answer: %v", i, a.Error)
		}
		answers = append(answers, *a.Allowed)
	}
	return answers, nil
}

// Objects asks for a stream of all; there are no pages.
func (o *OpenFGA) Objects(l dataset.ObjectList, limit int) (Request, error) {
	if limit > 0 {
		return Request{}, unsupported("openfga has no pages of objects")
	}
	return post(o.path("/streamed-list-objects"), jsonObject{"type": l.Type, "relation": l.Permission, "user": l.Subject.String(),
		"authorization_model_id": o.model})
}

// ObjectsFound reads a stream.
func (o *OpenFGA) ObjectsFound(body []byte, each func(id []byte)) error {
	return eachLine(body, func(line []byte) error {
		var entry struct {
			Result *struct {
				Object string `json:"object"`
			} `json:"result"`
		}
		if err := json.Unmarshal(line, &entry); err != nil {
			return err
		}
		if entry.Result == nil {
			return fmt.Errorf("the stream ends in an error: %.200s", line)
		}
		object, err := tuple.ParseObject(entry.Result.Object)
		each([]byte(object.ID))
		return err
	})
}

// Subjects asks for all users at once.
func (o *OpenFGA) Subjects(l dataset.SubjectList) (Request, error) {
	return post(o.path("/list-users"), jsonObject{"object": jsonObject{"type": l.Object.Type, "id": l.Object.ID}, "relation": l.Permission,
		"user_filters": []jsonObject{{"type": l.Type}}, "authorization_model_id": o.model})
}

// SubjectsFound reads a list of users.
func (o *OpenFGA) SubjectsFound(body []byte, each func(id []byte)) error {
	var answer struct {
		Users []struct {
			Object *struct {
				ID string `json:"id"`
			} `json:"object"`
		} `json:"users"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	for _, u := range answer.Users {
		if u.Object == nil {
			return errors.New("the list of users has one that is no object")
		}
		each([]byte(u.Object.ID))
	}
	return nil
}

// MostTuples is what a server takes unless it is set up otherwise.
func (o *OpenFGA) MostTuples() int { return openfgaTuples }

// Write writes and deletes at once, and minds neither what is there nor what is not.
func (o *OpenFGA) Write(touched, deleted []tuple.Tuple) (Request, error) {
	keys := func(tuples []tuple.Tuple, option string) jsonObject {
		var list []jsonObject
		for _, t := range tuples {
			list = append(list, jsonObject{"user": t.Subject.String(), "relation": t.Relation, "object": t.Object.String()})
		}
		return jsonObject{"tuple_keys": list, option: "ignore"}
	}
	body := jsonObject{"authorization_model_id": o.model}
	if len(touched) > 0 {
		body["writes"] = keys(touched, "on_duplicate")
	}
	if len(deleted) > 0 {
		body["deletes"] = keys(deleted, "on_missing")
	}
	return post(o.path("/write"), body)
}

// eachLine reads a stream of JSON lines.
func eachLine(body []byte, each func(line []byte) error) error {
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := each(line); err != nil {
			return err
		}
	}
	return nil
}
