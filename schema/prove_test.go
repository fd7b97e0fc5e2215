package schema_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
)

// claimsBase is a model with one of everything that proofs go through.
const claimsBase = `pemba 1
type user
type robot
singleton system:main {
  relation admin:    [user]
  relation sysadmin: [user] at most 1
}
type group {
  relation member: [user | group#member]
}
type folder {
  relation parent: [folder]
  relation owner:  [user]
  relation viewer: [user | group#member]
  permission edit  = owner or parent->edit
  permission view  = viewer or edit or parent->view
}
type workspace {
  relation admin:   [user]
  relation member:  [user | group#member]
  relation banned:  [user]
  relation machine: [robot]
  relation folder:  [folder]
  permission staff   = (member or admin) except system:main#sysadmin
  permission manage  = staff and admin
  permission careful = manage except banned
  permission read    = staff or machine
  permission some    = folder->view
  permission all     = every folder->view
  permission allEdit = every folder->edit
}
type key {
  relation owner: [user] at most 1
  acts for owner on workspace { staff, read }
}
type shared_key {
  relation owner: [user]
  acts for owner on workspace { staff, banned }
}
`

func TestClaims(t *testing.T) {
	proven := []string{
		"always workspace#manage holds workspace#staff",
		"always workspace#manage holds workspace#read",
		"always workspace#careful holds workspace#admin",
		"always workspace#all holds workspace#some",
		"always workspace#allEdit holds workspace#all",
		"always workspace#allEdit holds workspace#some",
		"always folder#edit holds folder#view",
		"always folder#owner holds folder#edit",
		"always group#member holds group#member",
		"never system#sysadmin holds workspace#staff",
		"never system#sysadmin holds workspace#careful",
		"never workspace#machine holds workspace#staff",
		"never workspace#machine holds folder#view",
		"never workspace#machine holds workspace#manage",
		"never system#admin grants workspace#manage",
		"never system#sysadmin grants workspace#staff",
		"never folder#viewer grants folder#edit",
		"never workspace#banned grants workspace#careful",
		"never workspace#banned holds workspace#careful", // of one workspace: two names of a type are of one object
	}
	for _, claim := range proven {
		t.Run(claim, func(t *testing.T) {
			if err := compileText(claimsBase + claim + "\n"); err != nil {
				t.Errorf("not proven:\n%v", err)
			}
		})
	}
}

func TestClaimsRefused(t *testing.T) {
	tests := []struct{ claim, code, says string }{
		{"always workspace#staff holds workspace#manage", "claim_unproven", "a tuple of workspace#member can name one"},
		{"always workspace#manage holds workspace#careful", "claim_unproven", "a user in workspace#manage need not be in workspace#careful"},
		{"always workspace#some holds workspace#all", "claim_unproven", ""},
		{"always folder#view holds folder#edit", "claim_unproven", ""},
		{"always workspace#admin holds folder#owner", "claim_unproven", ""},
		{"never system#admin holds workspace#staff", "claim_unproven", "a user can be in both"},
		{"never workspace#member holds workspace#banned", "claim_unproven", ""},
		{"never group#member grants folder#view", "claim_refuted", "group#member → folder#viewer → folder#view"},
		{"never folder#owner grants workspace#some", "claim_refuted", "folder#owner → folder#edit → folder#view → workspace#some"},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			err := compileText(claimsBase + test.claim + "\n")
			var ds source.Diagnostics
			if !errors.As(err, &ds) || len(ds) != 1 {
				t.Fatalf("got %v, want one diagnostic", err)
			}
			d := ds[0]
			if d.Code != test.code || !strings.Contains(d.Message, test.says) {
				t.Errorf("got [%s] %s, want [%s] … %s", d.Code, d.Message, test.code, test.says)
			}
			if d.Excerpt != test.claim {
				t.Errorf("excerpt %q, want the claim", d.Excerpt)
			}
		})
	}
}

// A key has what its owner has. Where a key may have two owners, it may be in two
// sets that no owner is in at once.
func TestClaimsFollowActsFor(t *testing.T) {
	base := strings.Replace(claimsBase, "relation banned:  [user]", "relation banned:  [user] or nobody", 1)
	if err := compileText(base + "never system#sysadmin holds workspace#staff\n"); err != nil {
		t.Errorf("keys of a sysadmin are not staff either, but: %v", err)
	}
	apart := strings.Replace(claimsBase, "permission staff   = (member or admin) except system:main#sysadmin",
		"permission staff   = (member or admin) except banned", 1)
	if err := compileText(apart + "never workspace#banned holds workspace#staff\n"); err == nil {
		t.Error("proven, though a shared key may have one owner in each")
	}
}

// Sealed usersets are what the schema says, and of an object that is not known
// each may be the one.
func TestClaimsOverSealed(t *testing.T) {
	base := `pemba 1
type user
singleton tenant:main {
  relation user: [user]
  relation root: [user]
}
type group {
  relation member: [user]
  permission active = member and tenant:main#user
}
sealed group:everyone#member = tenant:main#user
`
	if err := compileText(base + "always group#active holds tenant#user\n"); err != nil {
		t.Errorf("not proven:\n%v", err)
	}
	if err := compileText(base + "always group#member holds tenant#user\n"); err == nil {
		t.Error("proven, though an ordinary group may have any member")
	}
	if err := compileText(base + "never tenant#user grants group#active\n"); err == nil {
		t.Error("proven, though the group of everyone is sealed to the tenant's users")
	}
}

// A search that grows without end is given up and is no proof.
func TestClaimsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("pemba 1\ntype user\ntype t {\n  relation r0, s0: [user]\n")
	for i := 1; i < 40; i++ {
		prev := string(rune('a'+(i-1)%26)) + strings.Repeat("x", (i-1)/26)
		name := string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		if i == 1 {
			prev = "0"
		}
		b.WriteString("  permission r" + name + " = (r" + prev + " and s" + prev + ") or (s" + prev + " and r" + prev + ")\n")
		b.WriteString("  permission s" + name + " = (s" + prev + " or r" + prev + ") and (r" + prev + " or s" + prev + ")\n")
	}
	b.WriteString("}\nnever t#r0 holds t#s0\nalways t#snx holds t#rnx\n")
	if err := compileText(b.String()); err == nil {
		t.Error("proven, though a tuple can make it false")
	}
}

func compileText(text string) error {
	_, err := schema.Compile([]source.File{{Name: "test.pemba", Text: text}}, schema.NewNumbering())
	return err
}
