package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unsafe"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// storeID numbers a store within the cluster; it is never given twice.
type storeID uint32

// The first byte of a Badger key. DESIGN.md has the whole layout.
const (
	prefixLog        = 'l' // l revision chunk: what an entry did
	prefixTuple      = 't' // t store row: a live tuple
	prefixReverse    = 'r' // r store row from its subject: a live tuple of a store on disk
	prefixQuarantine = 'q' // q store row: a quarantined tuple
	prefixExpiry     = 'x' // x store expiry row: a live tuple that expires
	prefixStore      = 's' // s store: name, created, deleted
	prefixSchema     = 'c' // c store revision chunk: a schema as written
	prefixName       = 'n' // n store kind name: the number of a name
	prefixStats      = 'd' // d store revision: digest and counts after that revision
	prefixMember     = 'm' // m 'c' | m 'n' id | m 't' id: identity, members, join tokens
)

// row is a tuple by number: what the key and the value of a tuple hold.
type row struct {
	ObjectType      tuple.TypeID
	ObjectID        string
	Relation        tuple.RelationID
	SubjectType     tuple.TypeID
	SubjectID       string
	SubjectRelation tuple.RelationID
	Condition       tuple.ConditionID
	Context         tuple.Context
	Expires         uint64 // tuple.Nanoseconds; 0: never
}

func appendU32[N ~uint32](b []byte, n N) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(n))
}

// appendEscaped writes an id so that byte order stays the ids' order, no id is
// the prefix of another, and no byte of an id is taken for a delimiter: 0x00
// becomes 0x00 0xff, and 0x00 0x01 ends it.
func appendEscaped(b []byte, id string) []byte {
	for i := 0; i < len(id); i++ {
		b = append(b, id[i])
		if id[i] == 0 {
			b = append(b, 0xff)
		}
	}
	return append(b, 0, 1)
}

// cutEscaped reads what appendEscaped wrote.
func cutEscaped(b []byte) (id string, rest []byte, ok bool) {
	id, rest, ok = borrowEscaped(b)
	return strings.Clone(id), rest, ok
}

// borrowEscaped is cutEscaped whose id may be the one in b itself.
func borrowEscaped(b []byte) (id string, rest []byte, ok bool) {
	end := bytes.IndexByte(b, 0)
	if end >= 0 && end+1 < len(b) && b[end+1] == 1 { // no escape inside: the usual case
		return unsafe.String(unsafe.SliceData(b), end), b[end+2:], true
	}
	var out []byte
	for i := 0; i+1 < len(b); i++ {
		if b[i] != 0 {
			out = append(out, b[i])
			continue
		}
		switch b[i+1] {
		case 1:
			return string(out), b[i+2:], true
		case 0xff:
			out = append(out, 0)
			i++
		default:
			return "", nil, false
		}
	}
	return "", nil, false
}

// keySpace returns the prefix of everything of one kind in one store.
func keySpace(kind byte, s storeID) []byte { return appendU32([]byte{kind}, s) }

// appendRow appends the row's part of a key; the order of the fields is the order
// of a store's tuples.
func (r row) appendRow(b []byte) []byte {
	b = appendU32(b, r.ObjectType)
	b = appendEscaped(b, r.ObjectID)
	b = appendU32(b, r.Relation)
	b = appendU32(b, r.SubjectType)
	b = appendEscaped(b, r.SubjectID)
	return appendU32(b, r.SubjectRelation)
}

func (r row) key(kind byte, s storeID) []byte {
	b := make([]byte, 0, 25+len(r.ObjectID)+len(r.SubjectID))
	b = appendU32(append(b, kind), s)
	return r.appendRow(b)
}

// appendReverse appends the row's part of a reverse key: the subject first, then
// the relation, so that the objects of one relation stand together.
func (r row) appendReverse(b []byte) []byte {
	b = appendU32(b, r.SubjectType)
	b = appendEscaped(b, r.SubjectID)
	b = appendU32(b, r.SubjectRelation)
	b = appendU32(b, r.Relation)
	b = appendU32(b, r.ObjectType)
	return appendEscaped(b, r.ObjectID)
}

func (r row) reverseKey(s storeID) []byte {
	b := make([]byte, 0, 25+len(r.ObjectID)+len(r.SubjectID))
	return r.appendReverse(appendU32(append(b, prefixReverse), s))
}

// expiryKey orders a store's expiring tuples by their instant.
func (r row) expiryKey(s storeID) []byte {
	b := appendU32([]byte{prefixExpiry}, s)
	b = binary.BigEndian.AppendUint64(b, r.Expires)
	return r.appendRow(b)
}

var errCorruptKey = fmt.Errorf("%w: a key or value is damaged", ErrCorrupt)

// parseRow reads what appendRow wrote.
func parseRow(b []byte) (row, error) {
	r, err := borrowRow(b)
	r.ObjectID, r.SubjectID = strings.Clone(r.ObjectID), strings.Clone(r.SubjectID)
	return r, err
}

// borrowRow is parseRow whose ids may be those in b itself, and change with it.
func borrowRow(b []byte) (row, error) {
	f := rowFields{rest: b}
	r := row{ObjectType: tuple.TypeID(f.u32()), ObjectID: f.id(), Relation: tuple.RelationID(f.u32()),
		SubjectType: tuple.TypeID(f.u32()), SubjectID: f.id(), SubjectRelation: tuple.RelationID(f.u32())}
	return r, f.end(b)
}

// parseReverse reads what appendReverse wrote.
func parseReverse(b []byte) (row, error) {
	f := rowFields{rest: b}
	r := row{SubjectType: tuple.TypeID(f.u32()), SubjectID: f.id(), SubjectRelation: tuple.RelationID(f.u32()),
		Relation: tuple.RelationID(f.u32()), ObjectType: tuple.TypeID(f.u32()), ObjectID: f.id()}
	r.ObjectID, r.SubjectID = strings.Clone(r.ObjectID), strings.Clone(r.SubjectID)
	return r, f.end(b)
}

// rowFields reads the fields of a row's key; ids may be those in the key itself.
// The first fault sticks.
type rowFields struct {
	rest []byte
	bad  bool
}

func (f *rowFields) u32() uint32 {
	if f.bad = f.bad || len(f.rest) < 4; f.bad {
		return 0
	}
	n := binary.BigEndian.Uint32(f.rest)
	f.rest = f.rest[4:]
	return n
}

func (f *rowFields) id() string {
	if f.bad {
		return ""
	}
	id, rest, ok := borrowEscaped(f.rest)
	f.rest, f.bad = rest, !ok
	return id
}

// end says whether the key is whole.
func (f *rowFields) end(key []byte) error {
	if f.bad || len(f.rest) > 0 {
		return fmt.Errorf("%w: %x", errCorruptKey, key)
	}
	return nil
}

// The bits of a value's first byte. A plain tuple's value is empty.
const (
	valueCondition = 1 << iota
	valueExpires
	valueContext
)

// value returns the row's attributes as bytes, one form only.
func (r row) value() []byte {
	if r.Condition == 0 && r.Expires == 0 && r.Context == "" {
		return nil
	}
	b := []byte{0}
	if r.Condition != 0 {
		b[0] |= valueCondition
		b = appendU32(b, r.Condition)
	}
	if r.Expires != 0 {
		b[0] |= valueExpires
		b = binary.BigEndian.AppendUint64(b, r.Expires)
	}
	if r.Context != "" {
		b[0] |= valueContext
		b = append(b, r.Context...)
	}
	return b
}

// setValue reads what value wrote.
func (r *row) setValue(b []byte) error {
	r.Condition, r.Expires, r.Context = 0, 0, ""
	if len(b) == 0 {
		return nil
	}
	flags, rest := b[0], b[1:]
	if flags&valueCondition != 0 {
		if len(rest) < 4 {
			return fmt.Errorf("%w: value %x", errCorruptKey, b)
		}
		r.Condition = tuple.ConditionID(binary.BigEndian.Uint32(rest))
		rest = rest[4:]
	}
	if flags&valueExpires != 0 {
		if len(rest) < 8 {
			return fmt.Errorf("%w: value %x", errCorruptKey, b)
		}
		r.Expires = binary.BigEndian.Uint64(rest)
		rest = rest[8:]
	}
	if flags&valueContext != 0 {
		r.Context = tuple.Context(rest)
		rest = nil
	}
	if len(rest) > 0 || flags >= valueContext<<1 {
		return fmt.Errorf("%w: value %x", errCorruptKey, b)
	}
	return nil
}

// expiredAt says whether the tuple is gone at an instant in Unix nanoseconds.
func (r row) expiredAt(instant int64) bool {
	return tuple.Edge{Expires: r.Expires}.ExpiredAt(instant)
}

// revisionKey is a key of a kind that is kept per store and revision.
func revisionKey(kind byte, s storeID, rev tuple.Revision) []byte {
	return binary.BigEndian.AppendUint64(keySpace(kind, s), uint64(rev))
}

// logKey is the key of one chunk of an entry's record.
func logKey(rev tuple.Revision, chunk int) []byte {
	b := binary.BigEndian.AppendUint64([]byte{prefixLog}, uint64(rev))
	return binary.BigEndian.AppendUint16(b, uint16(chunk))
}
