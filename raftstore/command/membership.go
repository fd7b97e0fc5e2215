package command

// FeatureMembership is the feature level of join tokens and of recovery.
const FeatureMembership = 2

// TokenID names a join token. It is no secret.
type TokenID [8]byte

// JoinToken is what the cluster remembers of a token that lets one node join: not
// the token itself.
type JoinToken struct {
	ID      TokenID
	Hash    [32]byte // SHA-256 of the secret
	Expires int64    // log time, Unix nanoseconds
	Replica bool     // joins without a vote, and for good
	UsedBy  string   // the node that joined with it; "" until then
}

// PutJoinToken remembers a new token, and forgets those that have expired.
// Rejected where there are MaxJoinTokens.
type PutJoinToken struct {
	Token JoinToken // UsedBy is ""
}

// MaxJoinTokens is how many tokens there may be at once.
const MaxJoinTokens = 256

// Kind returns KindPutJoinToken.
func (*PutJoinToken) Kind() Kind { return KindPutJoinToken }

func (p *PutJoinToken) encode(e *encoder) error {
	e.raw(p.Token.ID[:])
	e.raw(p.Token.Hash[:])
	e.uint(uint64(max(p.Token.Expires, 0)))
	e.bool(p.Token.Replica)
	return nil
}

func (p *PutJoinToken) decode(d *decoder) {
	copy(p.Token.ID[:], d.raw(len(p.Token.ID)))
	copy(p.Token.Hash[:], d.raw(len(p.Token.Hash)))
	p.Token.Expires = int64(d.uint() & (1<<63 - 1))
	p.Token.Replica = d.bool()
}

// UseJoinToken spends a token on one node. The same node may use it again until
// it expires. Rejected where it is unknown, has expired, or was used by another.
type UseJoinToken struct {
	ID   TokenID
	Node string
}

// Kind returns KindUseJoinToken.
func (*UseJoinToken) Kind() Kind { return KindUseJoinToken }

func (u *UseJoinToken) encode(e *encoder) error {
	e.raw(u.ID[:])
	e.string(u.Node)
	return nil
}

func (u *UseJoinToken) decode(d *decoder) {
	copy(u.ID[:], d.raw(len(u.ID)))
	u.Node = d.string()
}

// Recover gives the cluster another identity after a majority of its members was
// lost, so that nobody who is left of them can take part any more. Of members and
// join tokens, one member remains. It is only ever put into the log of a node that
// does not run.
type Recover struct {
	From ClusterID // rejected where this is not the cluster's identity
	ID   ClusterID
	Key  Secret
	Node string // the member that remains
}

// Kind returns KindRecover.
func (*Recover) Kind() Kind { return KindRecover }

func (r *Recover) encode(e *encoder) error {
	e.raw(r.From[:])
	e.raw(r.ID[:])
	e.raw(r.Key[:])
	e.string(r.Node)
	return nil
}

func (r *Recover) decode(d *decoder) {
	copy(r.From[:], d.raw(len(r.From)))
	copy(r.ID[:], d.raw(len(r.ID)))
	copy(r.Key[:], d.raw(len(r.Key)))
	r.Node = d.string()
}
