package dialect_test

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/dialect/openfga"
	"github.com/pemba-authz/pemba/schema/dialect/spicedb"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

type tupleReader func(name string, r io.Reader) iter.Seq2[dialect.Placed, error]

// read returns the tuples and the errors of a file, one a line.
func read(f tupleReader, name, text string) string {
	var b strings.Builder
	for t, err := range f(name, strings.NewReader(text)) {
		if err != nil {
			fmt.Fprintf(&b, "error %v\n", err)
			continue
		}
		fmt.Fprintln(&b, t.Tuple)
	}
	return b.String()
}

func TestTuples(t *testing.T) {
	for _, c := range []struct {
		name, file string
		read       tupleReader
		text, want string
	}{
		{"json list", "t.json", openfga.Tuples, `[
  {"user": "user:ana", "relation": "viewer", "object": "doc:1"},
  {"user": "group:eng#member", "relation": "can.read", "object": "acme.doc:1", "condition": {"name": "young", "context": {"age": 3, "b": [1.50]}}},
  {"user": "user:*", "relation": "viewer", "object": "doc:2", "condition": null}
]`, `doc:1#viewer@user:ana
acme_dot_doc:1#can_dot_read@group:eng#member with young {"age":3,"b":[1.50]}
doc:2#viewer@user:*
`},
		{"json lines", "t.jsonl", openfga.Tuples, `{"user": "user:ana", "relation": "viewer", "object": "doc:1"}
{"object": "doc:2", "relation": "viewer", "user": "user:bob"}
`, "doc:1#viewer@user:ana\ndoc:2#viewer@user:bob\n"},
		{"answer of a read", "t.json", openfga.Tuples, `{"tuples": [{"key": {"user": "user:ana", "relation": "viewer", "object": "doc:1"}, "timestamp": "2024-01-01T00:00:00Z"}], "continuation_token": ""}`,
			"doc:1#viewer@user:ana\n"},
		{"body of a write", "t.json", openfga.Tuples, `{"writes": {"tuple_keys": [{"user": "user:ana", "relation": "viewer", "object": "doc:1"}]}, "authorization_model_id": "x"}`,
			"doc:1#viewer@user:ana\n"},
		{"one page of several", "t.json", openfga.Tuples, `{"tuples": [], "continuation_token": "abc"}`,
			"error t.json:1:38: the file is one page of several: read the others too, with the continuation token\n"},
		{"deletes are refused", "t.json", openfga.Tuples, `{"deletes": {"tuple_keys": []}}`,
			"error t.json:1:2: unknown field \"deletes\": a tuple has user, relation, object and condition\n"},
		{"bad tuples have places", "t.json", openfga.Tuples, `[
  {"user": "ana", "relation": "viewer", "object": "doc:1"},
  {"user": "user:ana", "relation": "viewer", "object": "doc:a b"},
  {"user": "user:ana", "relation": "viewer", "object": "doc:1", "extra": {"a": [1]}},
  {"user": "user:ana", "relation": "viewer", "object": "doc:3"}
]`, `error t.json:2:3: user "ana": expected a subject (type:id, type:id#relation or type:*), found "ana"
error t.json:3:3: object "doc:a b": ' ' may not stand in an id
error t.json:4:65: unknown field "extra": a tuple has user, relation, object and condition
doc:3#viewer@user:ana
`},
		{"cut off", "t.json", openfga.Tuples, `[{"user": "user:ana", "relation": "viewer", "object": "doc:1"}, {"user": "user:b`,
			"doc:1#viewer@user:ana\nerror t.json:1:72: unexpected EOF within \"/1/user\" after offset 80\n"},
		{"csv", "t.csv", openfga.Tuples, `user_type,user_id,user_relation,relation,object_type,object_id,condition_name,condition_context
user,ana,,viewer,doc,1,,
group,eng,member,viewer,doc,"1,5",young,"{""age"":3}"
user,*,,viewer,doc,2,,
user,bob,,viewer,doc
user,cyd,,viewer,do:c,3,,
`, `doc:1#viewer@user:ana
doc:1,5#viewer@group:eng#member with young {"age":3}
doc:2#viewer@user:*
error t.csv:5:1: the row has another number of fields than the first line
error t.csv:6:1: object "do:c:3": ':' may not stand in an id
`},
		{"csv without optional columns", "t.csv", openfga.Tuples, "object_id,object_type,relation,user_type,user_id\n1,doc,viewer,user,ana\n", "doc:1#viewer@user:ana\n"},
		{"csv without a needed column", "t.csv", openfga.Tuples, "user_type,user_id,relation,object_type\n", "error t.csv:1:1: the column object_id is missing: the first line names the columns\n"},
		{"yaml list", "t.yaml", openfga.Tuples, `- user: user:ana
  relation: viewer
  object: doc:1
- user: user:bob
  relation: viewer
  object: doc:1
  condition:
    name: young
    context:
      age: 0x10
      since: 2024-01-01T00:00:00Z
      ratio: 1.5
      tags: [a, null, true]
- user: user:cyd
  relation: viewer
`, `doc:1#viewer@user:ana
doc:1#viewer@user:bob with young {"age":16,"ratio":1.5,"since":"2024-01-01T00:00:00Z","tags":["a",null,true]}
error t.yaml:14:3: object "": expected type:id, found ""
`},
		{"store file", "store.fga.yaml", openfga.Tuples, "name: x\nmodel: |\n  model\ntuples:\n  - {user: 'user:ana', relation: viewer, object: 'doc:1'}\ntests: []\n", "doc:1#viewer@user:ana\n"},
		{"store file with tuples elsewhere", "store.fga.yaml", openfga.Tuples, "tuple_file: ./t.json\n", "error store.fga.yaml:1:1: the store file keeps tuples in another file: import that file itself\n"},
		{"yaml with an alias", "t.yaml", openfga.Tuples, "- &a {user: 'user:ana', relation: viewer, object: 'doc:1', condition: {name: c, context: &b {x: 1}}}\n- {user: 'user:bob', relation: viewer, object: 'doc:1', condition: {name: c, context: *b}}\n",
			"doc:1#viewer@user:ana with c {\"x\":1}\nerror t.yaml:2:87: aliases are not read\n"},
		{"relationships", "r.txt", spicedb.Tuples, `// comment
doc:1#viewer@user:ana

  doc:1#viewer@group:eng#member[office/late:{"day":"friday","in":["]"]}][expiration:2030-01-01T00:00:00Z]
doc:2#viewer@user:*[early]
doc:2#parent@folder:a/b=#...
doc:2#viewer@user
doc:2#viewer@user:bob[early:{"a":}]
doc:2#viewer@user:bob[expiration:tomorrow]
doc:2#viewer@user:bob[early] x
`, `doc:1#viewer@user:ana
doc:1#viewer@group:eng#member with office-late {"day":"friday","in":["]"]} until 2030-01-01T00:00:00Z
doc:2#viewer@user:* with early
doc:2#parent@folder:a/b=
error r.txt:7:14: expected a subject (type:id, type:id#relation or type:*), found "user"
error r.txt:8:29: the context of caveat early: invalid character '}' at start of value within "/a" after offset 5
error r.txt:9:34: "tomorrow" is not a time as RFC 3339 has it, like 2030-01-01T00:00:00Z
error r.txt:10:29: expected [caveat:{…}] or [expiration:time], or the end of the line
`},
		{"validation file", "v.yaml", spicedb.Tuples, "schema: |-\n  definition user {}\nrelationships: |-\n  doc:1#viewer@user:ana\n\n  doc:2#viewer@use\nassertions: {}\n",
			"doc:1#viewer@user:ana\nerror v.yaml:6:14: expected a subject (type:id, type:id#relation or type:*), found \"use\"\n"},
		{"validation file without relationships", "v.yaml", spicedb.Tuples, "schema: x\n", "error v.yaml:1:1: the validation file has no relationships\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := read(c.read, c.file, c.text); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestTuplesHavePlaces holds good tuples to the line that they stand in.
func TestTuplesHavePlaces(t *testing.T) {
	for _, c := range []struct {
		name string
		read tupleReader
		text string
		want string
	}{
		{"t.json", openfga.Tuples, "[\n  {\"user\":\"user:ana\",\"relation\":\"viewer\",\n   \"object\":\"doc:1\"},\n  {\"user\":\"user:ä\",\"relation\":\"viewer\",\"object\":\"doc:1\"}, {\"user\":\"user:b\",\"relation\":\"viewer\",\"object\":\"doc:1\"}]", "2:3 4:3 4:59"},
		{"t.csv", openfga.Tuples, "user_type,user_id,relation,object_type,object_id\nuser,a,viewer,doc,1\n\"user\",b,viewer,doc,1\n", "2:1 3:1"},
		{"t.yaml", openfga.Tuples, "- user: user:a\n  relation: viewer\n  object: doc:1\n- {user: 'user:b', relation: viewer, object: 'doc:1'}\n", "1:3 4:3"},
		{"t.txt", spicedb.Tuples, "doc:1#viewer@user:a\n// x\n  doc:1#viewer@user:b\n", "1:1 3:3"},
		{"t.yaml", spicedb.Tuples, "relationships: |\n\n  doc:1#viewer@user:a\n", "3:1"},
	} {
		var got []string
		for p, err := range c.read(c.name, strings.NewReader(c.text)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%d:%d", p.Place.Line, p.Place.Column))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %v, want %s", c.name, got, c.want)
		}
	}
}

// endless repeats a text for ever.
type endless struct {
	text   string
	offset int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.text[e.offset%len(e.text)]
		e.offset++
	}
	return len(p), nil
}

// TestTuplesAreStreamed reads from files without an end: the readers must pass
// tuples on as they come, and refuse one tuple that never ends.
func TestTuplesAreStreamed(t *testing.T) {
	one := `{"user":"user:ana","relation":"viewer","object":"doc:1"}`
	for name, c := range map[string]struct {
		read tupleReader
		head string
		body string
	}{
		"t.json":  {openfga.Tuples, "[" + one, "," + one},
		"t.jsonl": {openfga.Tuples, "", one + "\n"},
		"t.csv":   {openfga.Tuples, "user_type,user_id,relation,object_type,object_id\n", "user,ana,viewer,doc,1\n"},
		"r.txt":   {spicedb.Tuples, "", "doc:1#viewer@user:ana\n"},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			for got, err := range c.read(name, io.MultiReader(strings.NewReader(c.head), &endless{text: c.body})) {
				if err != nil || got.String() != "doc:1#viewer@user:ana" {
					t.Fatalf("got %v, %v", got, err)
				}
				if n++; n == 50_000 {
					return
				}
			}
			t.Errorf("the reader ended after %d tuples", n)
		})
	}
	for name, c := range map[string]struct {
		read tupleReader
		head string
		body string
	}{
		"string.json": {openfga.Tuples, `[{"user":"`, "a"},
		"spaces.json": {openfga.Tuples, `[`, " "},
		"deep.json":   {openfga.Tuples, `[{"condition":{"context":`, `{"a":`},
		"field.csv":   {openfga.Tuples, "user_type,user_id,relation,object_type,object_id\n\"", "a"},
		"line.txt":    {spicedb.Tuples, "doc:1#viewer@user:", "a"},
		"large.yaml":  {openfga.Tuples, "", "- {user: a}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var last error
			for _, err := range c.read(name, io.MultiReader(strings.NewReader(c.head), &endless{text: c.body})) {
				last = err
			}
			var d *source.Diagnostic
			if !errors.As(last, &d) {
				t.Fatalf("got %v, want a fault with its place", last)
			}
		})
	}
}

func FuzzTuples(f *testing.F) {
	f.Add(0, `[{"user":"user:ana","relation":"viewer","object":"doc:1","condition":{"name":"c","context":{"a":1}}}]`)
	f.Add(1, "user_type,user_id,relation,object_type,object_id\nuser,ana,viewer,doc,1\n")
	f.Add(2, "- user: user:ana\n  relation: viewer\n  object: doc:1\n")
	f.Add(3, "doc:1#viewer@user:ana[c:{\"a\":1}][expiration:2030-01-01T00:00:00Z]\n")
	f.Add(4, "relationships: |\n  doc:1#viewer@user:ana\n")
	names := []string{"t.json", "t.csv", "t.yaml", "t.txt", "t.yml"}
	f.Fuzz(func(t *testing.T, which int, text string) {
		which = (which%len(names) + len(names)) % len(names)
		readers := []tupleReader{openfga.Tuples, openfga.Tuples, openfga.Tuples, spicedb.Tuples, spicedb.Tuples}
		for got, err := range readers[which](names[which], strings.NewReader(text)) {
			if err != nil {
				continue
			}
			if again, err := tuple.Parse(got.String()); err != nil || again != got.Tuple {
				t.Fatalf("%v does not come back: %v, %v", got, again, err)
			}
		}
	})
}

func FuzzImport(f *testing.F) {
	eachModel(f, func(name, _ string, files []source.File) { f.Add(name == "openfga", files[0].Name, files[0].Text) })
	f.Fuzz(func(t *testing.T, fga bool, name, text string) {
		do := spicedb.Import
		if fga {
			do = openfga.Import
		}
		checkImport(t, do([]source.File{{Name: name, Text: text}}))
	})
}

func checkImport(t *testing.T, result dialect.Result) {
	t.Helper()
	if (result.Err() == nil) != (len(result.Files) > 0) {
		t.Fatalf("%d files beside the report %v", len(result.Files), result.Report)
	}
	if result.Err() != nil {
		return
	}
	if _, err := schema.Compile(result.Files, schema.NewNumbering()); err != nil {
		t.Fatalf("the imported schema does not compile: %v\n%s", err, result.Files[0].Text)
	}
	for _, f := range result.Files {
		if text, err := ast.FormatText(f.Name, f.Text); err != nil || text != f.Text {
			t.Fatalf("the formatter makes another text of %s (%v):\n%s", f.Text, err, text)
		}
	}
}
