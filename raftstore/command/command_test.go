package command_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

func parse(text string) tuple.Tuple {
	t, err := tuple.Parse(text)
	if err != nil {
		panic(err)
	}
	return t
}

// every is one entry with a command of every kind.
func every() command.Entry {
	viewer := parse(`document:a@b#viewer@group:eng#member with office {"cidr":"10.0.0.0/8"} until 2030-01-01T00:00:00Z`)
	return command.Entry{Time: 1_700_000_000_000_000_000, Commands: []command.Command{
		{Feature: 1, Body: &command.ClusterInit{ID: command.ClusterID{1, 2}, Key: command.Secret{3, 4}}},
		{Feature: 1, Store: "one", Body: &command.PutStore{}},
		{Feature: 1, Store: "one", Body: &command.DeleteStore{}},
		{Feature: 1, Store: "one", Body: &command.PutSchema{
			Files: []source.File{{Name: "a.pemba", Text: "pemba 1\ntype user\n"}},
			Admission: &schema.Admission{Language: 1, Types: []schema.AdmissionType{{Name: "user", Relations: []schema.AdmissionRelation{
				{Name: "r", AtMost: 2, Shapes: []schema.AdmissionShape{{Type: "user", Expiry: schema.ExpiryOptional}}}}}}},
			IfMatch: command.SchemaMatch{Revision: 7, Digest: [32]byte{9}}, Orphans: command.OrphansIgnore,
			Dialect: "openfga", Original: []source.File{{Name: "m.fga", Text: "model"}}}},
		{Feature: 1, Store: "one", Body: &command.Write{
			Operations:     []command.Operation{{Op: command.Create, Tuple: viewer}, {Op: command.Delete, Tuple: tuple.Tuple{Key: viewer.Key}}},
			DeleteFilter:   &tuple.Filter{ObjectType: "document", Subject: tuple.SubjectFilter{Relation: tuple.NoRelation}},
			Preconditions:  []command.Precondition{{Filter: tuple.Filter{ObjectID: "a"}, Must: command.Unchanged, Since: 5}},
			IdempotencyKey: "k", BodyDigest: [32]byte{8}, FirstTried: 3}},
		{Feature: 1, Store: "one", Body: &command.Import{Tuples: []tuple.Tuple{viewer}}},
		{Feature: 1, Store: "one", Body: &command.CollectExpired{Limit: 10}},
		{Feature: 1, Body: &command.SetFloor{Revision: 1 << 40}},
		{Feature: 1, Body: &command.SetMember{Member: command.Member{ID: "x", Name: "n", Raft: "h:1", API: "http://h", Voter: true, Feature: 1}, Remove: true}},
		{Feature: 1, Body: &command.SetFeature{Level: 1}},
		{Feature: 1, Body: &command.Marker{}},
		{Feature: 1, Store: "one", Body: &command.ResolveQuarantine{Filter: tuple.Filter{Relation: "viewer"}, Revive: true}},
		{Feature: 2, Body: &command.PutJoinToken{Token: command.JoinToken{ID: command.TokenID{1}, Hash: [32]byte{2}, Expires: 1 << 60, Replica: true}}},
		{Feature: 2, Body: &command.UseJoinToken{ID: command.TokenID{1}, Node: "x"}},
		{Feature: 2, Body: &command.Recover{From: command.ClusterID{1}, ID: command.ClusterID{2}, Key: command.Secret{3}, Node: "x"}},
	}}
}

func encode(t *testing.T, e command.Entry) []byte {
	t.Helper()
	b, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	want := every()
	b := encode(t, want)
	got, err := command.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	kinds := map[command.Kind]bool{}
	for _, c := range got.Commands {
		kinds[c.Body.Kind()] = true
	}
	if len(kinds) != int(command.KindRecover) {
		t.Errorf("the test holds %d kinds of command, there are %d", len(kinds), command.KindRecover)
	}
	if again := encode(t, got); !bytes.Equal(again, b) {
		t.Error("a second encoding differs")
	}
}

func TestSmall(t *testing.T) {
	e := command.Entry{Time: time.Now().UnixNano(), Commands: []command.Command{{Store: "one", Body: &command.Write{
		Operations: []command.Operation{{Op: command.Touch, Tuple: parse("document:readme#viewer@user:ana")}}}}}}
	if n := len(encode(t, e)); n > 80 {
		t.Errorf("a single write takes %d bytes", n)
	}
}

func TestDecodeRefuses(t *testing.T) {
	whole := encode(t, every())
	marker := encode(t, command.Entry{Time: 1, Commands: []command.Command{{Body: &command.Marker{}}}})
	// A marker is: version, time, one command, its length 3, kind, feature, no store.
	with := func(at int, b byte) []byte {
		c := bytes.Clone(marker)
		c[at] = b
		return c
	}
	for _, c := range []struct {
		name    string
		bytes   []byte
		unknown string
	}{
		{"nothing", nil, ""},
		{"trailing bytes", append(bytes.Clone(whole), 0), ""},
		{"trailing bytes in a command", []byte{1, 1, 1, 4, byte(command.KindMarker), 1, 0, 0}, ""},
		{"a later version", with(0, 2), "version"},
		{"an unknown kind", with(4, 99), "kind"},
		{"a later feature level", with(5, command.FeatureLevel+1), "feature level"},
		{"no feature level", with(5, 0), "feature level"},
		{"a length over the end", with(3, 200), ""},
		{"a number in a longer form", []byte{1, 0x81, 0, 1, 3, byte(command.KindMarker), 1, 0}, ""},
		{"more commands than bytes", binary.AppendUvarint([]byte{1, 1}, 1<<40), ""},
		{"a time over 63 bits", append(binary.AppendUvarint([]byte{1}, 1<<63), 0), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := command.Decode(c.bytes)
			var unknown *command.UnknownError
			switch {
			case c.unknown != "" && (!errors.As(err, &unknown) || unknown.What != c.unknown):
				t.Errorf("got %v, want an unknown %s", err, c.unknown)
			case c.unknown == "" && !errors.Is(err, command.ErrMalformed):
				t.Errorf("got %v, want ErrMalformed", err)
			}
		})
	}
	for i := range whole {
		if _, err := command.Decode(whole[:i]); err == nil {
			t.Fatalf("the first %d of %d bytes are accepted", i, len(whole))
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	at := func(when time.Time) *command.Import {
		tu := parse("document:a#viewer@user:ana")
		tu.Expires = when
		return &command.Import{Tuples: []tuple.Tuple{tu}}
	}
	for name, e := range map[string]command.Entry{
		"no body":               {Commands: []command.Command{{}}},
		"a later level":         {Commands: []command.Command{{Feature: 99, Body: &command.Marker{}}}},
		"a time before 1970":    {Time: -1},
		"too many":              {Commands: make([]command.Command, command.MaxCommands+1)},
		"no admission":          {Commands: []command.Command{{Body: &command.PutSchema{}}}},
		"no operation":          {Commands: []command.Command{{Body: &command.Write{Operations: []command.Operation{{}}}}}},
		"no demand":             {Commands: []command.Command{{Body: &command.Write{Preconditions: []command.Precondition{{}}}}}},
		"expiry at the epoch":   {Commands: []command.Command{{Body: at(time.Unix(0, 0))}}},
		"expiry before 1970":    {Commands: []command.Command{{Body: at(time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC))}}},
		"expiry past 2553":      {Commands: []command.Command{{Body: at(time.Date(2600, 1, 1, 0, 0, 0, 0, time.UTC))}}},
		"an unknown orphan way": {Commands: []command.Command{{Body: &command.PutSchema{Admission: &schema.Admission{}, Orphans: 9}}}},
	} {
		t.Run(name, func(t *testing.T) {
			if b, err := e.Encode(); err == nil {
				t.Errorf("encoded as %x", b)
			}
		})
	}
}

func TestSecretHidesItself(t *testing.T) {
	key := command.Secret{0xde, 0xad, 0xbe, 0xef}
	for _, text := range []string{fmt.Sprint(key), fmt.Sprintf("%v", key), fmt.Sprintf("%#v", key), key.String(),
		fmt.Sprintf("%+v", command.ClusterInit{Key: key})} {
		if strings.Contains(text, "222") || strings.Contains(text, "de") {
			t.Errorf("the secret shows in %s", text)
		}
	}
}

func TestRejectionIs(t *testing.T) {
	err := fmt.Errorf("writing: %w", &command.Rejection{Code: command.CodeAtMost, Message: "too many"})
	if !errors.Is(err, &command.Rejection{Code: command.CodeAtMost}) || errors.Is(err, &command.Rejection{Code: command.CodeTupleExists}) {
		t.Error("errors.Is does not ask for the code")
	}
}

func FuzzDecode(f *testing.F) {
	b, err := every().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	for _, c := range every().Commands {
		b, err := command.Entry{Time: 5, Commands: []command.Command{c}}.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := command.Decode(b)
		if err != nil {
			return
		}
		again, err := e.Encode()
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		back, err := command.Decode(again)
		if err != nil || !reflect.DeepEqual(back, e) {
			t.Fatalf("decoded again it is %+v (%v), was %+v", back, err, e)
		}
	})
}
