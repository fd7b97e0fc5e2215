package state_test

import (
	"testing"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema"
)

func TestDeleteOfWhatCannotBe(t *testing.T) {
	c := start(t)
	c.ok("", &command.ClusterInit{ID: command.ClusterID{1}, Key: command.Secret{2}})
	c.ok("a", &command.PutStore{})
	c.ok("a", putSchema(t, "pemba 1\ntype user\ntype document {\n  relation viewer: [user]\n  relation editor: [user]\n}\n"))
	c.ok("a", ops(t, "create document:a#viewer@user:ana", "create document:a#editor@user:ana"))
	c.rejected(command.Code(schema.CodeUnknownRelation), "a", ops(t, "delete document:a#veiwer@user:ana"))
	c.rejected(command.Code(schema.CodeUnknownType), "a", ops(t, "delete doc:a#viewer@user:ana"))
	c.rejected(command.Code(schema.CodeSubjectNotAdmitted), "a", ops(t, "delete document:a#viewer@user:*"))
	c.ok("a", ops(t, "delete document:a#viewer@user:nobody"))

	ignore := putSchema(t, "pemba 1\ntype user\ntype document {\n  relation viewer: [user]\n}\n")
	ignore.Orphans = command.OrphansIgnore
	c.ok("a", ignore)
	if r := c.ok("a", ops(t, "delete document:a#editor@user:ana")); r.Deleted != 0 {
		t.Errorf("a quarantined tuple counts as deleted: %d", r.Deleted)
	}
	c.rejected(command.Code(schema.CodeUnknownRelation), "a", ops(t, "delete document:a#editor@user:ana"))
}
