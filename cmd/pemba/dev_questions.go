package main

import (
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/client/tuplefile"
	"github.com/pemba-authz/pemba/server/api"
)

// prepared is a question with the answer that the example as it comes gives.
type prepared struct {
	api.Question
	want api.Result
}

// exampleQuestions are asked of the example ptolemy.
var exampleQuestions = []prepared{
	{api.Question{Object: "workspace:prod", Permission: "view_data", Subject: "user:uma"}, api.Allowed},
	{api.Question{Object: "workspace:prod", Permission: "create_key", Subject: "user:uma"}, api.Denied},
	{api.Question{Object: "workspace:prod", Permission: "view_data", Subject: "user:root"}, api.Denied},
	{api.Question{Object: "workspace:prod", Permission: "view_data", Subject: "user_key:uma-notebook"}, api.Allowed},
	{api.Question{Object: "service_key:shipper", Permission: "delete", Subject: "user:max"}, api.Allowed},
}

// questions are the prepared ones, if the schema is the example's or one made
// from it, and otherwise some that the tuples suggest.
func (d *demo) questions() []prepared {
	fit := len(d.tuples) > 0
	for _, q := range exampleQuestions {
		kind, _, _ := strings.Cut(q.Object, ":")
		t := d.module.Schema.Type(kind)
		named := slices.ContainsFunc(d.tuples, func(e tuplefile.Entry) bool { return e.Tuple.Object.String() == q.Object })
		fit = fit && t != nil && named
	}
	if fit {
		return exampleQuestions
	}
	return d.suggested(5)
}

// suggested asks, for the tuples of the store, for each time another permission.
func (d *demo) suggested(most int) []prepared {
	var out []prepared
	asked := map[string]bool{}
	for _, e := range d.tuples {
		t := d.module.Schema.Type(e.Tuple.Object.Type)
		if t == nil || e.Tuple.Subject.IsWildcard() {
			continue
		}
		for _, r := range t.Relations {
			name := t.Name + "#" + r.Name
			if r.Permission && !asked[name] {
				asked[name] = true
				out = append(out, prepared{Question: api.Question{Object: e.Tuple.Object.String(), Permission: r.Name, Subject: e.Tuple.Subject.String()}})
				break
			}
		}
		if len(out) == most {
			break
		}
	}
	return out
}
