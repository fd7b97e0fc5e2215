package target

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// SpiceDB speaks the HTTP gateway of a SpiceDB server. It has one store: what was
// in it is replaced by the dataset's schema, where no tuple stands against it.
// Reads are fully consistent, as Pemba's are on one node.
type SpiceDB struct{}

// Name returns spicedb.
func (s *SpiceDB) Name() string { return "spicedb" }

var fullyConsistent = jsonObject{"fullyConsistent": true}

// Begin writes the schema.
func (s *SpiceDB) Begin(_ context.Context, call Call, d dataset.Dataset) error {
	translated, err := compiled(d)
	if err != nil {
		return err
	}
	var answer any
	if err := ask(call, "/v1/schema/write", jsonObject{"schema": spicedbSchema(translated)}, &answer); err != nil {
		return fmt.Errorf("writing the schema: %w", err)
	}
	return nil
}

// Settle returns at once: reads are fully consistent.
func (s *SpiceDB) Settle(Call) error { return nil }

func spicedbSchema(s *schema.Schema) string {
	var b strings.Builder
	for _, t := range s.Types {
		fmt.Fprintf(&b, "definition %s {\n", t.Name)
		for _, r := range t.Relations {
			if r.Permission {
				fmt.Fprintf(&b, "  permission %s = %s\n", r.Name, spicedbRewrite(s, r.Rewrite))
				continue
			}
			var shapes []string
			for _, shape := range r.Shapes {
				text := s.TypeByID(shape.Type).Name
				if shape.Wildcard {
					text += ":*"
				} else if shape.Relation != 0 {
					text += "#" + s.Relation(shape.Relation).Name
				}
				shapes = append(shapes, text)
			}
			fmt.Fprintf(&b, "  relation %s: %s\n", r.Name, strings.Join(shapes, " | "))
		}
		b.WriteString("}\n\n")
	}
	return b.String()
}

func spicedbRewrite(s *schema.Schema, x *schema.Expr) string {
	join := func(operator string) string {
		var operands []string
		for _, o := range x.Operands {
			operands = append(operands, spicedbRewrite(s, o))
		}
		return "(" + strings.Join(operands, operator) + ")"
	}
	switch x.Kind {
	case schema.Arrow:
		return s.Relation(x.Relation).Name + "->" + arrowName(s, x)
	case schema.Union:
		return join(" + ")
	case schema.Intersection:
		return join(" & ")
	case schema.Exclusion:
		return join(" - ")
	}
	return s.Relation(x.Relation).Name
}

func spicedbObject(o tuple.Object) jsonObject {
	return jsonObject{"objectType": o.Type, "objectId": o.ID}
}

func spicedbSubject(s tuple.Subject) jsonObject {
	subject := jsonObject{"object": spicedbObject(s.Object())}
	if s.Relation != "" {
		subject["optionalRelation"] = s.Relation
	}
	return subject
}

// Check asks one question.
func (s *SpiceDB) Check(q dataset.Question) (Request, error) {
	return post("/v1/permissions/check", jsonObject{"consistency": fullyConsistent, "resource": spicedbObject(q.Object),
		"permission": q.Permission, "subject": spicedbSubject(q.Subject)})
}

func permitted(word string) (bool, error) {
	switch word {
	case "PERMISSIONSHIP_HAS_PERMISSION":
		return true, nil
	case "PERMISSIONSHIP_NO_PERMISSION":
		return false, nil
	}
	return false, fmt.Errorf("an answer that is neither yes nor no: %q", word)
}

// Checked reads an answer.
func (s *SpiceDB) Checked(body []byte) (bool, error) {
	var answer struct {
		Permissionship string `json:"permissionship"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return false, err
	}
	return permitted(answer.Permissionship)
}

// Batch asks many questions.
func (s *SpiceDB) Batch(questions []dataset.Question) (Request, error) {
	var items []jsonObject
	for _, q := range questions {
		items = append(items, jsonObject{"resource": spicedbObject(q.Object), "permission": q.Permission, "subject": spicedbSubject(q.Subject)})
	}
	return post("/v1/permissions/checkbulk", jsonObject{"consistency": fullyConsistent, "items": items})
}

// Batched reads answers, which stand in the order of the questions.
func (s *SpiceDB) Batched(body []byte, answers []bool) ([]bool, error) {
	var answer struct {
		Pairs []struct {
			Item struct {
				Permissionship string `json:"permissionship"`
			} `json:"item"`
			Error *struct {
				Message string `json:"message"`
			} `json:"error"`
		} `json:"pairs"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return answers, err
	}
	for _, p := range answer.Pairs {
		if p.Error != nil {
			return answers, fmt.Errorf("a question of the batch has no answer: %s", p.Error.Message)
		}
		allowed, err := permitted(p.Item.Permissionship)
		if err != nil {
			return answers, err
		}
		answers = append(answers, allowed)
	}
	return answers, nil
}

// Objects asks for a stream: all, or as many as the limit.
func (s *SpiceDB) Objects(l dataset.ObjectList, limit int) (Request, error) {
	body := jsonObject{"consistency": fullyConsistent, "resourceObjectType": l.Type, "permission": l.Permission, "subject": spicedbSubject(l.Subject)}
	if limit > 0 {
		body["optionalLimit"] = limit
	}
	return post("/v1/permissions/resources", body)
}

// ObjectsFound reads a stream.
func (s *SpiceDB) ObjectsFound(body []byte, each func(id []byte)) error {
	return spicedbStream(body, func(result spicedbResult) { each([]byte(result.Resource)) })
}

// Subjects asks for a stream of all.
func (s *SpiceDB) Subjects(l dataset.SubjectList) (Request, error) {
	return post("/v1/permissions/subjects", jsonObject{"consistency": fullyConsistent, "resource": spicedbObject(l.Object),
		"permission": l.Permission, "subjectObjectType": l.Type})
}

// SubjectsFound reads a stream.
func (s *SpiceDB) SubjectsFound(body []byte, each func(id []byte)) error {
	return spicedbStream(body, func(result spicedbResult) { each([]byte(result.Subject.ID)) })
}

type spicedbResult struct {
	Resource string `json:"resourceObjectId"`
	Subject  struct {
		ID string `json:"subjectObjectId"`
	} `json:"subject"`
}

func spicedbStream(body []byte, each func(spicedbResult)) error {
	return eachLine(body, func(line []byte) error {
		var entry struct {
			Result *spicedbResult `json:"result"`
		}
		if err := json.Unmarshal(line, &entry); err != nil {
			return err
		}
		if entry.Result == nil {
			return fmt.Errorf("the stream ends in an error: %.200s", line)
		}
		each(*entry.Result)
		return nil
	})
}

// MostTuples is what a server takes unless it is set up otherwise.
func (s *SpiceDB) MostTuples() int { return 1000 }

// Write touches and deletes tuples at once.
func (s *SpiceDB) Write(touched, deleted []tuple.Tuple) (Request, error) {
	var updates []jsonObject
	add := func(operation string, tuples []tuple.Tuple) {
		for _, t := range tuples {
			updates = append(updates, jsonObject{"operation": operation, "relationship": jsonObject{
				"resource": spicedbObject(t.Object), "relation": t.Relation, "subject": spicedbSubject(t.Subject)}})
		}
	}
	add("OPERATION_TOUCH", touched)
	add("OPERATION_DELETE", deleted)
	return post("/v1/relationships/write", jsonObject{"updates": updates})
}
