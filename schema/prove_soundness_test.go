package schema_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// What is proven must hold over any tuples: every claim over random schemas that
// the prover accepts is tried on random tuples, by asking the engine. A proof of
// a claim that some tuples make false is a bug, whatever the claim.
func TestProofsAreSound(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	proven := 0
	for seed := range rounds {
		random := rand.New(rand.NewPCG(uint64(seed), 7))
		w := randomModel(t, random)
		claims := w.provenClaims()
		proven += len(claims)
		for range 12 {
			w.refute(t, seed, claims, w.randomTuples(random))
		}
	}
	if proven < rounds {
		t.Errorf("only %d claims proven over %d schemas: the test has lost its grip", proven, rounds)
	}
}

type claimWorld struct {
	text   string
	module *schema.Module
}

var claimTypes = []string{"user", "robot", "key", "group", "folder", "site"}

// randomModel writes a schema in which anything may stand anywhere.
func randomModel(t *testing.T, random *rand.Rand) claimWorld {
	var b strings.Builder
	pick := func(options ...string) string { return options[random.IntN(len(options))] }
	b.WriteString("pemba 1\ntype user\ntype robot\n")
	b.WriteString("type key {\n  relation owner: [user]" + pick("", " at most 1") + "\n  acts for owner on folder { " + pick("a", "p", "a, p, q", "b, q") + " }\n}\n")
	b.WriteString("type group {\n  relation member: [" + pick("user | group#member", "user | robot | group#member", "user | key") + "]\n}\n")
	b.WriteString("singleton site:main {\n  relation a: [user]\n  relation b: [user | group#member]\n  permission p = " + pick("a", "a and b", "a or b", "b except a") + "\n}\n")
	b.WriteString("type folder {\n  relation up: [folder]\n")
	for _, r := range []string{"a", "b"} {
		fmt.Fprintf(&b, "  relation %s: [%s]\n", r, pick("user", "user | group#member", "robot", "user | user:*", "user | key", "user | folder#b"))
	}
	names := []string{"a", "b"}
	for _, p := range []string{"p", "q", "r"} {
		fmt.Fprintf(&b, "  permission %s = %s\n", p, randomRewrite(random, append(names, p), 2))
		names = append(names, p)
	}
	b.WriteString("}\n")
	if random.IntN(3) == 0 {
		b.WriteString("sealed group:all#member = " + pick("site:main#a", "user:u1", "site:main#p, user:u2") + "\n")
	}
	m, err := schema.Compile([]source.File{{Name: "random.pemba", Text: b.String()}}, schema.NewNumbering())
	if err != nil {
		return randomModel(t, random) // a permission that is only itself, say
	}
	return claimWorld{b.String(), m}
}

func randomRewrite(random *rand.Rand, names []string, depth int) string {
	name := func() string { return names[random.IntN(len(names))] }
	if depth == 0 || random.IntN(4) == 0 {
		switch random.IntN(6) {
		case 0:
			return "up->" + name()
		case 1:
			return "every up->" + name()
		case 2:
			return "site:main#" + []string{"a", "b", "p"}[random.IntN(3)]
		default:
			return names[random.IntN(len(names)-1)]
		}
	}
	left, right := randomRewrite(random, names, depth-1), randomRewrite(random, names, depth-1)
	operator := []string{" or ", " and ", " except "}[random.IntN(3)]
	return "(" + left + ")" + operator + "(" + right + ")"
}

// provenClaims tries every pair of names and keeps what is proven.
func (w claimWorld) provenClaims() []*schema.Claim {
	var claims []*schema.Claim
	relations := w.module.Schema.Type("folder").Relations
	relations = append(relations[:len(relations):len(relations)], w.module.Schema.Type("site").Relations...)
	for _, left := range relations {
		for _, right := range relations {
			for _, kind := range []schema.ClaimKind{schema.NeverHolds, schema.AlwaysHolds} {
				c := &schema.Claim{Kind: kind, Left: left.ID, Right: right.ID}
				m := *w.module
				m.Claims = []*schema.Claim{c}
				if len(schema.Prove(&m)) == 0 && (left != right || kind == schema.NeverHolds) {
					claims = append(claims, c)
				}
			}
		}
	}
	return claims
}

var claimIDs = map[string][]string{
	"user": {"u1", "u2", "u3"}, "robot": {"r1"}, "key": {"k1", "k2"}, "group": {"all", "g"}, "folder": {"f1", "f2"}, "site": {"main"},
}

func (w claimWorld) randomTuples(random *rand.Rand) []tuple.Tuple {
	admitter := w.module.Admission.Index()
	var tuples []tuple.Tuple
	for range 4 + random.IntN(14) {
		object := claimTypes[2+random.IntN(4)]
		relations := w.module.Schema.Type(object).Relations
		r := relations[random.IntN(len(relations))]
		if len(r.Shapes) == 0 {
			continue
		}
		shape := r.Shapes[random.IntN(len(r.Shapes))]
		subject := w.module.Schema.TypeByID(shape.Type).Name
		k := tuple.Key{
			Object:   tuple.Object{Type: object, ID: pickID(random, object)},
			Relation: r.Name,
			Subject:  tuple.Subject{Type: subject, ID: pickID(random, subject)},
		}
		if shape.Wildcard {
			k.Subject.ID = tuple.Wildcard
		}
		if shape.Relation != 0 {
			k.Subject.Relation = w.module.Schema.Relation(shape.Relation).Name
		}
		if one := (tuple.Tuple{Key: k}); admitter.Admit(one) == nil && !overLimit(tuples, one, r.AtMost) {
			tuples = append(tuples, one)
		}
	}
	return tuples
}

// overLimit says whether one more tuple would be more than the relation admits.
func overLimit(tuples []tuple.Tuple, one tuple.Tuple, most int) bool {
	n := 0
	for _, t := range tuples {
		if t.Object == one.Object && t.Relation == one.Relation && t != one {
			n++
		}
	}
	return most > 0 && n >= most
}

func pickID(random *rand.Rand, typ string) string {
	ids := claimIDs[typ]
	return ids[random.IntN(len(ids))]
}

// refute asks the engine whether some subject makes a proven claim false.
func (w claimWorld) refute(t *testing.T, seed int, claims []*schema.Claim, tuples []tuple.Tuple) {
	t.Helper()
	reader, err := memory.New(w.module.Schema, tuples)
	if err != nil {
		t.Fatal(err)
	}
	view := engine.View{Schema: w.module.Schema, Reader: reader, Now: time.Unix(1, 0)}
	holds := func(r *schema.Relation, object string, subject tuple.Subject) bool {
		answer, err := engine.Check(t.Context(), view, engine.Question{
			Object: tuple.Object{Type: r.Type.Name, ID: object}, Permission: r.Name, Subject: subject})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		return answer.Outcome == engine.Allowed
	}
	for _, c := range claims {
		left, right := w.module.Schema.Relation(c.Left), w.module.Schema.Relation(c.Right)
		for _, typ := range claimTypes {
			for _, id := range claimIDs[typ] {
				subject := tuple.Subject{Type: typ, ID: id}
				for _, a := range claimIDs[left.Type.Name] {
					if !holds(left, a, subject) {
						continue
					}
					for _, b := range claimIDs[right.Type.Name] {
						if left.Type == right.Type && a != b {
							continue
						}
						if holds(right, b, subject) != (c.Kind == schema.AlwaysHolds) {
							t.Fatalf("seed %d: proven of %s#%s and %s#%s (kind %d), but %s is in %s and this is of %s\n%s\n%v",
								seed, left.Type.Name, left.Name, right.Type.Name, right.Name, c.Kind, subject, a, b, w.text, tuples)
						}
					}
				}
			}
		}
	}
}
