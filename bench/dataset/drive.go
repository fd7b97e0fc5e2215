package dataset

import (
	"fmt"
	"iter"
	"strconv"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Drive is a shared drive: users in groups that nest, documents in folders that
// nest, and the right to view given to users, groups or everyone on any of them
// and inherited downwards, unless the user is blocked on the way.
//
// Of N tuples about N/20 users are in three groups each; N/200 groups stand in
// trees four deep; N/20 folders stand in trees of 600, four to five deep; and
// 3N/10 documents lie in the folders.
type Drive struct {
	seed                              uint64
	size                              int
	users, groups, folders, documents uint64

	walk *DriveWalk // once it is asked for
}

// Sizes of Drive by the names that results use.
const (
	SizeS = 10_000
	SizeM = 1_000_000
)

// NewDrive returns a drive of about size tuples, at least 1,000.
func NewDrive(size int, seed uint64) *Drive {
	size = max(size, 1000)
	n := uint64(size)
	return &Drive{seed: seed, size: size, users: n / 20, groups: n / 200, folders: n / 20, documents: 3 * n / 10}
}

const driveSchema = `pemba 1

type user

type group {
  relation member: [user | group#member]
}

type folder {
  relation parent: [folder]
  relation owner, editor, viewer: [user | user:* | group#member]
  relation blocked: [user | group#member]

  permission can_view = (viewer or editor or owner or parent->can_view) except blocked
}

type document {
  relation parent: [folder]
  relation owner, editor, viewer: [user | user:* | group#member]
  relation blocked: [user | group#member]

  permission can_view = (viewer or editor or owner or parent->can_view) except blocked
}
`

// Name returns drive, the size and the seed.
func (d *Drive) Name() string { return fmt.Sprintf("drive-%d-%d", d.size, d.seed) }

// Size returns the number of tuples that was asked for; there are about so many.
func (d *Drive) Size() int { return d.size }

// Schema returns the drive's schema.
func (d *Drive) Schema() string { return driveSchema }

// What roll is asked about.
const (
	rollMembership = iota + 1
	rollGrant
	rollSubject
	rollBlocked
	rollFolder
)

const (
	groupTree  = 85  // 1 + 4 + 16 + 64
	folderTree = 600 // 1 + 8 + 64 + 512, the last level not full
)

// Tuples yields groups, users, folders and documents, with what belongs to each.
func (d *Drive) Tuples() iter.Seq[tuple.Tuple] {
	return func(yield func(tuple.Tuple) bool) {
		for g := range d.groups {
			if p, ok := treeParent(g, groupTree, 4); ok && !yield(edge("group", id('g', p), "member", userset(id('g', g)))) {
				return
			}
		}
		for u := range d.users {
			groups := d.groupsOf(u)
			for i, g := range groups {
				if !seen(groups[:i], g) && !yield(edge("group", id('g', g), "member", user(id('u', u)))) {
					return
				}
			}
		}
		for f := range d.folders {
			if !d.object(yield, "folder", 'f', f) {
				return
			}
		}
		for x := range d.documents {
			if !d.object(yield, "document", 'd', x) {
				return
			}
		}
	}
}

// object yields the tuples of one folder or document: where it lies, one grant
// and sometimes a second, and for one in ten somebody who is blocked.
func (d *Drive) object(yield func(tuple.Tuple) bool, typ string, letter byte, n uint64) bool {
	name := id(letter, n)
	if p, ok := d.parent(letter, n); ok {
		if !yield(edge(typ, name, "parent", tuple.Subject{Type: "folder", ID: id('f', p)})) {
			return false
		}
	}
	kind := uint64(letter) << 8
	grants := uint64(1)
	if letter == 'd' && d.roll(kind|rollGrant, n, 1)%100 < 35 {
		grants = 2
	}
	first := d.roll(kind|rollGrant, n, 0)
	for i := range grants {
		relation := granting[(first+i)%uint64(len(granting))]
		if !yield(edge(typ, name, relation, d.subject(kind|rollSubject, n, i, letter == 'd'))) {
			return false
		}
	}
	if d.roll(kind|rollBlocked, n, 0)%10 == 0 {
		return yield(edge(typ, name, "blocked", d.subject(kind|rollBlocked, n, 1, false)))
	}
	return true
}

// granting are the relations that let view. The second grant of an object takes
// the one behind the first's, so that no tuple is there twice.
var granting = [...]string{"viewer", "editor", "owner"}

// subject is who is given something: a user or a group, and of a thousand
// documents eight are everyone's.
func (d *Drive) subject(kind, n, slot uint64, everyone bool) tuple.Subject {
	switch r := d.roll(kind, n, 10+2*slot); {
	case everyone && r%1000 < 8:
		return user(tuple.Wildcard)
	case r%1000 < 500:
		return userset(id('g', d.roll(kind, n, 11+2*slot)%d.groups))
	default:
		return user(id('u', d.roll(kind, n, 11+2*slot)%d.users))
	}
}

// parent is the folder that a folder or document lies in.
func (d *Drive) parent(letter byte, n uint64) (uint64, bool) {
	if letter == 'f' {
		return treeParent(n, folderTree, 8)
	}
	return d.roll(rollFolder, n, 0) % d.folders, true
}

func (d *Drive) groupsOf(u uint64) [3]uint64 {
	return [3]uint64{d.roll(rollMembership, u, 0) % d.groups, d.roll(rollMembership, u, 1) % d.groups, d.roll(rollMembership, u, 2) % d.groups}
}

func (d *Drive) roll(kind, index, slot uint64) uint64 { return roll(d.seed, kind, index, slot) }

// treeParent numbers trees of so many nodes one after the other, each level by
// level; ok is false for the roots.
func treeParent(n, size, width uint64) (parent uint64, ok bool) {
	root, place := n-n%size, n%size
	if place == 0 {
		return 0, false
	}
	return root + (place-1)/width, true
}

func seen(list []uint64, n uint64) bool {
	for _, m := range list {
		if m == n {
			return true
		}
	}
	return false
}

func id(letter byte, n uint64) string {
	var room [21]byte
	room[0] = letter
	return string(strconv.AppendUint(room[:1], n, 10))
}

func edge(typ, id, relation string, s tuple.Subject) tuple.Tuple {
	return tuple.Tuple{Key: tuple.Key{Object: tuple.Object{Type: typ, ID: id}, Relation: relation, Subject: s}}
}

func user(id string) tuple.Subject { return tuple.Subject{Type: "user", ID: id} }
func userset(id string) tuple.Subject {
	return tuple.Subject{Type: "group", ID: id, Relation: "member"}
}
