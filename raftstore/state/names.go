package state

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// relationName is a relation or permission of a type.
type relationName struct {
	Type tuple.TypeID
	Name string
}

// names numbers the types, relations and conditions of one store. Numbers are
// given in apply and never taken back, so one table serves every revision. It
// is the schema.Numbering of the store's schemas: a name that no applied schema
// had is 0.
type names struct {
	mu         sync.RWMutex // guards all below: apply adds, views read
	types      map[string]tuple.TypeID
	relations  map[relationName]tuple.RelationID
	conditions map[string]tuple.ConditionID

	typeNames      []string       // by number; [0] is none
	relationNames  []relationName // by number
	conditionNames []string       // by number
}

func newNames() *names {
	return &names{types: map[string]tuple.TypeID{}, relations: map[relationName]tuple.RelationID{},
		conditions: map[string]tuple.ConditionID{},
		typeNames:  make([]string, 1), relationNames: make([]relationName, 1), conditionNames: make([]string, 1)}
}

// The kinds of name in a key: n store kind …
const (
	nameType = 1 + iota
	nameRelation
	nameCondition
)

// TypeID returns the number of a type, 0 where it has none.
func (n *names) TypeID(name string) tuple.TypeID {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.types[name]
}

// RelationID returns the number of a relation or permission, 0 where it has none.
func (n *names) RelationID(typeName, name string) tuple.RelationID {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.relations[relationName{n.types[typeName], name}]
}

// ConditionID returns the number of a condition, 0 where it has none.
func (n *names) ConditionID(name string) tuple.ConditionID {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.conditions[name]
}

// number gives every name of an admission table a number, in the table's order,
// and calls put with the key and value of each new one.
func (n *names) number(id storeID, a *schema.Admission, put func(key, value []byte)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	base := keySpace(prefixName, id)
	give := func(kind byte, number int, suffix string) {
		key := append(append(append([]byte{}, base...), kind), suffix...)
		put(key, binary.AppendUvarint(nil, uint64(number)))
	}
	for _, t := range a.Types {
		if n.types[t.Name] == 0 {
			n.setType(t.Name, tuple.TypeID(len(n.typeNames)))
			give(nameType, int(n.types[t.Name]), t.Name)
		}
		for _, r := range t.Relations {
			name := relationName{n.types[t.Name], r.Name}
			if n.relations[name] == 0 {
				n.setRelation(name, tuple.RelationID(len(n.relationNames)))
				give(nameRelation, int(n.relations[name]), string(appendU32(nil, name.Type))+r.Name)
			}
		}
	}
	for _, c := range a.Conditions {
		if n.conditions[c.Name] == 0 {
			n.setCondition(c.Name, tuple.ConditionID(len(n.conditionNames)))
			give(nameCondition, int(n.conditions[c.Name]), c.Name)
		}
	}
}

func (n *names) setType(name string, id tuple.TypeID) {
	n.types[name] = id
	n.typeNames = setAt(n.typeNames, int(id), name)
}

func (n *names) setRelation(name relationName, id tuple.RelationID) {
	n.relations[name] = id
	n.relationNames = setAt(n.relationNames, int(id), name)
}

func (n *names) setCondition(name string, id tuple.ConditionID) {
	n.conditions[name] = id
	n.conditionNames = setAt(n.conditionNames, int(id), name)
}

func setAt[T any](list []T, i int, v T) []T {
	for len(list) <= i {
		var zero T
		list = append(list, zero)
	}
	list[i] = v
	return list
}

// loadNames reads a store's names as of the revision of txn.
func loadNames(txn *badger.Txn, id storeID) (*names, error) {
	n := newNames()
	prefix := keySpace(prefixName, id)
	it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		key := it.Item().KeyCopy(nil)[len(prefix):]
		var number uint64
		err := it.Item().Value(func(v []byte) error {
			f := fields{b: v}
			number = f.uint()
			return f.err
		})
		if err != nil {
			return nil, err
		}
		// Numbers are dense, so one that no memory could index is damage.
		if len(key) < 2 || number == 0 || number > 1<<24 || key[0] == nameRelation && len(key) < 6 {
			return nil, fmt.Errorf("%w: name %x", errCorruptKey, key)
		}
		switch key[0] {
		case nameType:
			n.setType(string(key[1:]), tuple.TypeID(number))
		case nameRelation:
			typ := tuple.TypeID(binary.BigEndian.Uint32(key[1:]))
			n.setRelation(relationName{typ, string(key[5:])}, tuple.RelationID(number))
		case nameCondition:
			n.setCondition(string(key[1:]), tuple.ConditionID(number))
		default:
			return nil, fmt.Errorf("%w: name %x", errCorruptKey, key)
		}
	}
	return n, nil
}

// row numbers a tuple. It is false where a name has no number: then no tuple of
// the store has it.
func (n *names) row(t tuple.Tuple) (row, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	r := row{ObjectID: t.Object.ID, SubjectID: t.Subject.ID, Context: t.Condition.Context}
	r.ObjectType, r.SubjectType = n.types[t.Object.Type], n.types[t.Subject.Type]
	r.Relation = n.relations[relationName{r.ObjectType, t.Relation}]
	ok := r.ObjectType != 0 && r.SubjectType != 0 && r.Relation != 0
	if t.Subject.Relation != "" {
		r.SubjectRelation = n.relations[relationName{r.SubjectType, t.Subject.Relation}]
		ok = ok && r.SubjectRelation != 0
	}
	if t.Condition.Name != "" {
		r.Condition = n.conditions[t.Condition.Name]
		ok = ok && r.Condition != 0
	}
	if !t.Expires.IsZero() {
		r.Expires = tuple.Nanoseconds(t.Expires)
	}
	return r, ok
}

// tuple names a row.
func (n *names) tuple(r row) (tuple.Tuple, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if int(r.ObjectType) >= len(n.typeNames) || int(r.SubjectType) >= len(n.typeNames) ||
		int(r.Relation) >= len(n.relationNames) || int(r.SubjectRelation) >= len(n.relationNames) ||
		int(r.Condition) >= len(n.conditionNames) {
		return tuple.Tuple{}, fmt.Errorf("%w: a tuple has a number that the store never gave", errCorruptKey)
	}
	t := tuple.Tuple{Key: tuple.Key{
		Object:   tuple.Object{Type: n.typeNames[r.ObjectType], ID: r.ObjectID},
		Relation: n.relationNames[r.Relation].Name,
		Subject: tuple.Subject{Type: n.typeNames[r.SubjectType], ID: r.SubjectID,
			Relation: n.relationNames[r.SubjectRelation].Name},
	}}
	t.Condition = tuple.Condition{Name: n.conditionNames[r.Condition], Context: r.Context}
	if r.Expires != 0 {
		t.Expires = tuple.Instant(r.Expires)
	}
	return t, nil
}

// shapeNames names the parts of a shape.
func (n *names) shapeNames(s shape) (typ, relation, subjectType, subjectRelation, condition string) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	r := n.relationNames[s.Relation]
	return n.typeNames[r.Type], r.Name, n.typeNames[s.SubjectType],
		n.relationNames[s.SubjectRelation].Name, n.conditionNames[s.Condition]
}

// relationType returns the type that a relation or permission belongs to.
func (n *names) relationType(id tuple.RelationID) tuple.TypeID {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if int(id) >= len(n.relationNames) {
		return 0
	}
	return n.relationNames[id].Type
}

// relationsOf returns the relations and permissions that a type has or has had.
func (n *names) relationsOf(t tuple.TypeID) []tuple.RelationID {
	n.mu.RLock()
	defer n.mu.RUnlock()
	var out []tuple.RelationID
	for id, r := range n.relationNames {
		if r.Type == t && id != 0 {
			out = append(out, tuple.RelationID(id))
		}
	}
	return out
}
