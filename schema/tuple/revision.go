package tuple

// Revision is the Raft index at which a change was applied: one number, the same
// on every node, over all stores of a cluster. 0 is before every change.
type Revision uint64

// Token is an opaque string that carries a revision and the cluster it is from:
// what the Zanzibar paper (section 2.4) calls a zookie. It is sealed, so that
// it shows nobody how much the cluster writes.
type Token string
