package load_test

import (
	"testing"

	"github.com/pemba-authz/pemba/bench/load"
)

func TestList(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit int
		got   []string
		right bool
	}{
		{"all, in another order", 0, []string{"b", "c", "a"}, true},
		{"one is missing", 0, []string{"b", "c"}, false},
		{"one is another", 0, []string{"b", "c", "d"}, false},
		{"one is there twice", 0, []string{"b", "c", "c"}, false},
		{"the first two", 2, []string{"c", "a"}, true},
		{"a page with a stranger", 2, []string{"c", "d"}, false},
		{"a page that is too long", 2, []string{"a", "b", "c"}, false},
		{"a page of all", 5, []string{"a", "b", "c"}, true},
	} {
		list := load.NewList("q", []string{"a", "b", "c"}, c.limit)
		bytes, text := list.Compare(), list.Compare()
		for _, id := range c.got {
			bytes.Add([]byte(id))
			text.AddText(id)
		}
		if (bytes.Err() == nil) != c.right || (text.Err() == nil) != c.right {
			t.Errorf("%s: %v, %v; want right: %v", c.name, bytes.Err(), text.Err(), c.right)
		}
	}
}
