package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// ptolemy is a schema with a singleton, a limit, a sealed userset and keys that
// act for their owners.
func ptolemy() *schema.Schema {
	b := newBuilder("user", "system", "workspace", "user_key", "group")
	b.typ("system").Singleton = "ptolemy"
	b.relation("system", "sysadmin", shapes("user"), direct()).AtMost = 1
	b.relation("workspace", "member", shapes("user", "group#member", "user_key"), direct())
	b.permission("workspace", "view", except(name("member"), fixed("system:ptolemy", "sysadmin")))
	b.permission("workspace", "delete", name("member"))
	b.relation("user_key", "owner", shapes("user expiry?"), direct()).AtMost = 1
	b.relation("group", "member", shapes("user", "user_key", "group#member"), direct())
	b.later = append(b.later, func() {
		b.typ("user_key").Acts = []schema.Acts{{Owner: b.named(b.typ("user_key").ID, "owner").ID, On: b.typ("workspace").ID,
			Permissions: map[tuple.RelationID]bool{b.named(b.typ("workspace").ID, "view").ID: true}}}
		b.named(b.typ("group").ID, "member").Sealed = map[string][]schema.FixedSubject{
			"everyone": {{Type: b.typ("user").ID, ID: "*"}},
		}
	})
	return b.schema()
}

func TestActsFor(t *testing.T) {
	v := view(t, ptolemy(), "workspace:w#member@user:max", "user_key:k#owner@user:max", "user_key:old#owner@user:max until 2030-01-01T12:00:00Z",
		"workspace:w#member@user_key:k", "group:g#member@user_key:stray", "workspace:w#member@group:g#member", "workspace:x#member@user:ann",
		"user_key:a#owner@user:ann", "system:ptolemy#sysadmin@user:ann")
	expect(t, v, "user_key:k view workspace:w", engine.Allowed)
	expect(t, v, "user_key:k delete workspace:w", engine.Denied)       // not listed, whatever tuples say
	expect(t, v, "user_key:k member workspace:w", engine.Denied)       // nor is this
	expect(t, v, "user_key:old view workspace:w", engine.Denied)       // its owner has expired
	expect(t, v, "user_key:stray view workspace:w", engine.Denied)     // a group gives it nothing without an owner
	expect(t, v, "user_key:stray member group:g", engine.Allowed)      // but groups are not acted on
	expect(t, v, "user_key:a view workspace:x", engine.Denied)         // its owner is excluded
	expect(t, v, "user_key:* view workspace:w", engine.Denied)         // nobody in particular has no owner
	expect(t, v, "user_key:k#owner delete workspace:w", engine.Denied) // a userset is no key
	p, err := engine.LookupObjects(t.Context(), v, engine.ObjectsQuestion{Type: "workspace", Permission: "view",
		Subject: tuple.Subject{Type: "user_key", ID: "k"}}, engine.Page{})
	if got := strings.Join(objectTexts(p.Found), "; "); err != nil || got != "w allowed" {
		t.Errorf("what a key may view: got %q, %v", got, err)
	}
}

func TestSealedUserset(t *testing.T) {
	v := view(t, ptolemy(), "workspace:w#member@group:everyone#member", "group:everyone#member@user_key:k")
	expect(t, v, "user:anybody member group:everyone", engine.Allowed)
	expect(t, v, "user:anybody view workspace:w", engine.Allowed)
	expect(t, v, "user_key:k member group:everyone", engine.Denied) // a tuple under the seal counts for nothing
	expect(t, v, "user:* member group:everyone", engine.Allowed)
	expect(t, v, "group:everyone#member view workspace:w", engine.Allowed)
	expect(t, v, "user:anybody member group:other", engine.Denied)
}

func TestQuestionsThatMeanNothing(t *testing.T) {
	v := view(t, ptolemy())
	for text, want := range map[string]string{
		"user:ana view worksapce:w":       `the schema has no type "worksapce": did you mean "workspace"?`,
		"user:ana veiw workspace:w":       `type "workspace" has no relation or permission "veiw": did you mean "view"?`,
		"usr:ana view workspace:w":        `the schema has no type "usr": did you mean "user"?`,
		"group:g#membr view workspace:w":  `type "group" has no relation or permission "membr": did you mean "member"?`,
		"user:ana sysadmin system:pemba":  `there is no system:pemba: system:ptolemy is the only object of its type`,
		"system:pemba view workspace:w":   `there is no system:pemba: system:ptolemy is the only object of its type`,
		"user:ana anything_else system:x": `type "system" has no relation or permission "anything_else"`,
	} {
		a, err := engine.Check(t.Context(), v, question(t, text))
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, %v, want %s", text, a, err, want)
		}
	}
	var nameless *engine.NameError
	_, err := engine.LookupSubjects(t.Context(), v, engine.SubjectsQuestion{Object: tuple.Object{Type: "workspace", ID: "w"}, Permission: "view", Type: "nobody"}, engine.Page{})
	if !errors.As(err, &nameless) {
		t.Errorf("a lookup of subjects of no type: got %v", err)
	}
	if _, err := engine.Check(t.Context(), engine.View{Reader: v.Reader, Now: noon}, question(t, "user:ana view workspace:w")); !errors.Is(err, engine.ErrNoSchema) {
		t.Errorf("without a schema: got %v", err)
	}
}

func TestContextualTuplesAreJudgedAsWritten(t *testing.T) {
	stored := []string{"system:ptolemy#sysadmin@user:root", "workspace:w#member@user:ana"}
	for what, c := range map[string]struct {
		tuples []string
		fault  string // "" when they are admitted
		index  int
	}{
		"admitted":                 {[]string{"workspace:w#member@user:bob"}, "", 0},
		"the same key as a stored": {[]string{"workspace:w#member@user:ana"}, "", 0},
		"twice":                    {[]string{"workspace:w#member@user:bob", "workspace:w#member@user:bob"}, "already", 1},
		"of a permission":          {[]string{"workspace:w#view@user:bob"}, "is a permission", 0},
		"of a wrong subject":       {[]string{"workspace:w#member@user:bob", "workspace:w#member@workspace:x"}, "does not admit", 1},
		"over a stored limit":      {[]string{"system:ptolemy#sysadmin@user:bob"}, "at most 1", 0},
		"in place of a stored":     {[]string{"system:ptolemy#sysadmin@user:root"}, "", 0},
		"over their own limit":     {[]string{"user_key:k#owner@user:bob", "user_key:k#owner@user:ana"}, "at most 1", 1},
		"expired ones are none":    {[]string{"user_key:k#owner@user:bob", "user_key:k#owner@user:ana until 2029-01-01T00:00:00Z"}, "", 0},
		"sealed":                   {[]string{"group:everyone#member@user:bob"}, "sealed", 0},
		"of another singleton":     {[]string{"system:other#sysadmin@user:bob"}, "one object", 0},
		"with expiry":              {[]string{"workspace:w#member@user:bob until 2031-01-01T00:00:00Z"}, "expiry", 0},
		"of no type":               {[]string{"workspce:w#member@user:bob"}, "no type", 0},
	} {
		t.Run(what, func(t *testing.T) {
			v := view(t, ptolemy(), stored...)
			v.Admission = admission(v.Schema)
			for _, text := range c.tuples {
				x, err := tuple.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				v.Contextual = append(v.Contextual, x)
			}
			_, err := engine.Check(t.Context(), v, question(t, "user:bob member workspace:w"))
			var refused *engine.ContextualError
			switch {
			case c.fault == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.fault != "" && (!errors.As(err, &refused) || refused.Index != c.index || !strings.Contains(err.Error(), c.fault)):
				t.Errorf("got %v, want a fault of tuple %d with %q", err, c.index, c.fault)
			}
		})
	}
}

func TestContextualTuplesAreSeenByTheirRequestAlone(t *testing.T) {
	v := view(t, ptolemy(), "workspace:w#member@user:ana")
	with := v
	with.Admission = admission(v.Schema)
	x, err := tuple.Parse("workspace:new#member@user:new")
	if err != nil {
		t.Fatal(err)
	}
	with.Contextual = []tuple.Tuple{x}
	expect(t, with, "user:new view workspace:new", engine.Allowed)
	expect(t, v, "user:new view workspace:new", engine.Denied)
	p, err := engine.LookupObjects(t.Context(), with, engine.ObjectsQuestion{Type: "workspace", Permission: "view", Subject: x.Subject}, engine.Page{})
	if got := strings.Join(objectTexts(p.Found), "; "); err != nil || got != "new allowed" {
		t.Errorf("a lookup with it: got %q, %v", got, err)
	}
}
