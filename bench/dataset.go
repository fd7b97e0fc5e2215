package bench

import (
	"fmt"
	"iter"

	"github.com/pemba-authz/pemba/server/api"
)

const schemaText = `pemba 1

type user

type group {
  relation member: [user | group#member]
}

type document {
  relation viewer: [user | group#member]
  relation banned: [user]

  permission view = viewer except banned
}
`

// Group g is a member of group (g-1)/10, so group 0 holds everybody; user u is a
// member of group u mod Groups; document d is shown to group d mod Groups and
// kept from user 7d mod Users.

func userName(u int) string     { return fmt.Sprintf("user:u%d", u) }
func groupName(g int) string    { return fmt.Sprintf("group:g%d", g) }
func documentName(d int) string { return fmt.Sprintf("document:d%d", d) }

func parent(group int) int { return (group - 1) / 10 }

func (c Config) bannedUser(document int) int { return document * 7 % c.Users }

// tuples yields the whole dataset.
func (c Config) tuples() iter.Seq[api.Tuple] {
	return func(yield func(api.Tuple) bool) {
		for g := 1; g < c.Groups; g++ {
			if !yield(api.Tuple{Object: groupName(parent(g)), Relation: "member", Subject: groupName(g) + "#member"}) {
				return
			}
		}
		for u := range c.Users {
			if !yield(api.Tuple{Object: groupName(u % c.Groups), Relation: "member", Subject: userName(u)}) {
				return
			}
		}
		for d := range c.Documents {
			if !yield(api.Tuple{Object: documentName(d), Relation: "viewer", Subject: groupName(d%c.Groups) + "#member"}) ||
				!yield(api.Tuple{Object: documentName(d), Relation: "banned", Subject: userName(c.bannedUser(d))}) {
				return
			}
		}
	}
}

// mayView is the answer that the dataset implies.
func (c Config) mayView(user, document int) bool {
	if user == c.bannedUser(document) {
		return false
	}
	shown := document % c.Groups
	for g := user % c.Groups; ; g = parent(g) {
		if g == shown {
			return true
		}
		if g == 0 {
			return false
		}
	}
}
