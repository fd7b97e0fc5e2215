package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/schema/tuple"
)

func expand(t *testing.T, v engine.View, object string, name string, options engine.ExpandOptions) *engine.Tree {
	t.Helper()
	o, err := tuple.ParseObject(object)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := engine.Expand(t.Context(), v, o, name, options)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestExpandOpensEachUsersetOnce(t *testing.T) {
	v := view(t, groups(), "group:a#member@group:b#member", "group:b#member@group:a#member", "group:b#member@user:ana",
		"document:d#viewer@group:a#member", "document:d#banned@group:b#member")
	tree := expand(t, v, "document:d", "view", engine.ExpandOptions{})
	opened, back := map[string]int{}, 0
	for _, n := range flatten(tree).nodes {
		switch {
		case n.Back:
			back++
		case n.Kind == engine.TreeUserset:
			opened[n.Object.String()+"#"+n.Relation]++
		}
	}
	if len(opened) != 5 || opened["group:a#member"] != 1 || opened["group:b#member"] != 1 || back != 2 {
		t.Errorf("opened %v, %d back references; want each of five once and two", opened, back)
	}
}

func TestExpandToADepth(t *testing.T) {
	v := view(t, groups(), "group:a#member@group:b#member", "group:b#member@user:ana", "group:a#member@user:bob until 2029-01-01T00:00:00Z")
	tree := expand(t, v, "group:a", "member", engine.ExpandOptions{Depth: 1})
	text := treeText(tree, "")
	if leaves := tree.Children[0].Leaves; len(leaves) != 1 || leaves[0].Tuple.Subject.ID != "b" {
		t.Errorf("leaves: %v; want the live one alone", leaves)
	}
	if child := tree.Children[0].Children[0]; !child.Cut || len(child.Children) > 0 {
		t.Errorf("the group below is not cut:\n%s", text)
	}
}

func TestExpandPastItsLimitIsAnError(t *testing.T) {
	v := subgroups(100).view(t, groups())
	o := tuple.Object{Type: "document", ID: "readme"}
	if tree, err := engine.Expand(t.Context(), v, o, "view", engine.ExpandOptions{Nodes: 50}); !errors.Is(err, engine.ErrBudget) || tree != nil {
		t.Errorf("got %v, %v", tree, err)
	}
	if _, err := engine.Expand(t.Context(), v, o, "vew", engine.ExpandOptions{}); err == nil || !strings.Contains(err.Error(), `"view"`) {
		t.Errorf("a slip of the pen: got %v", err)
	}
}

func TestExplainSaysWhatWasTried(t *testing.T) {
	v := view(t, conditions(), "document:d#viewer@user:ana with a", "document:d#viewer@group:g#member with b {\"b\":false}",
		"document:d#parent@document:p until 2030-01-01T12:00:00Z", "document:p#viewer@user:ana", "document:e#viewer@user:ana", "document:e#banned@user:*")
	v = given(v, map[string]string{"a": "false"})
	for ask, want := range map[string]string{
		"view document:d": `denied: user:ana view document:d
  - document:d#view for user:ana
    - viewer except banned
      - document:d#viewer for user:ana
        - [user | user:* | user:* with a | user with a | group#member | group#member with b]
          - tuple document:d#viewer@user:ana with a: condition a does not hold with a = false
          - tuple document:d#viewer@group:g#member with b {"b":false}: condition b does not hold with b = false
      - document:d#banned for user:ana
        - [user | user:* | user with a | user with fails]: no tuple leads there
`,
		"all document:d": `denied: user:ana all document:d
  - document:d#all for user:ana
    - every parent->viewer
      - tuple document:d#parent@document:p until 2030-01-01T12:00:00Z: it has expired
`,
		"view document:e": `denied: user:ana view document:e
  - document:e#view for user:ana
    - viewer except banned
      + document:e#viewer for user:ana
        + [user | user:* | user:* with a | user with a | group#member | group#member with b]
          + tuple document:e#viewer@user:ana
      + document:e#banned for user:ana
        + [user | user:* | user with a | user with fails]
          + tuple document:e#banned@user:*
`,
	} {
		x, err := engine.Explain(t.Context(), v, question(t, "user:ana "+ask))
		if err != nil {
			t.Fatal(err)
		}
		if got := x.String(); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", ask, got, want)
		}
	}
}

func TestExplanationIsBounded(t *testing.T) {
	g := subgroups(5000)
	for i := range 5000 {
		g.add("group", fmt.Sprint("deep", i), "member", "group", fmt.Sprint("deep", i+1), "member")
	}
	g.add("group", "all", "member", "group", "deep0", "member")
	g.add("group", "deep5000", "member", "user", "ana", "")
	v := g.view(t, groups())
	for text, want := range map[string]engine.Outcome{"user:ana view document:readme": engine.Allowed, "user:zoe view document:readme": engine.Denied} {
		x, err := engine.Explain(t.Context(), v, question(t, text))
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(x.String(), "\n"); x.Answer.Outcome != want || lines > 2500 {
			t.Errorf("%s: %v in %d lines", text, x.Answer.Outcome, lines)
		}
	}
}
