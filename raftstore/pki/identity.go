// Package pki knows the certificates of a cluster: who a certificate names, how a
// certificate authority of one's own makes them, and how a running node keeps
// those on disk current.
//
// Load reads what a node shows and whom it trusts; Credentials.Server and
// Credentials.Client are the two ends of a connection between members.
package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Role says what the owner of a certificate may do.
type Role string

// The roles.
const (
	RoleNode   Role = "node"   // a member: both ends of the cluster port, and a server for clients
	RoleClient Role = "client" // asks by HTTP; of no use at the cluster port
)

// Identity is whom a certificate names. In a certificate it is a URI among the
// subject's alternative names: pemba://CLUSTER/ROLE/NAME.
type Identity struct {
	Cluster string // the name that the operator gave the cluster
	Role    Role
	Name    string // of the node or the client
}

const (
	scheme  = "pemba"
	maxName = 128
)

// String returns the URI.
func (i Identity) String() string { return i.uri().String() }

func (i Identity) uri() *url.URL {
	return &url.URL{Scheme: scheme, Host: i.Cluster, Path: "/" + string(i.Role) + "/" + i.Name}
}

// Valid says what is wrong with an identity; nil when it can stand in a certificate.
func (i Identity) Valid() error {
	if i.Role != RoleNode && i.Role != RoleClient {
		return fmt.Errorf("the role %q is neither %s nor %s", i.Role, RoleNode, RoleClient)
	}
	for what, name := range map[string]string{"cluster": i.Cluster, "name": i.Name} {
		if !simple(name) {
			return fmt.Errorf("the %s %q has to be 1 to %d letters, digits, dots, hyphens or underscores, in lower case", what, name, maxName)
		}
	}
	return nil
}

// simple keeps names such that a URI has one spelling, also after parsers that
// fold case or escape.
func simple(name string) bool {
	return name != "" && len(name) <= maxName && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == "" && !strings.HasPrefix(name, ".")
}

// ErrNoIdentity means that a certificate names no identity, or more than one.
var ErrNoIdentity = errors.New("the certificate names no member of a cluster: it needs one URI pemba://CLUSTER/ROLE/NAME among its alternative names")

// IdentityOf returns whom a certificate names. It does not look at who signed it.
func IdentityOf(c *x509.Certificate) (Identity, error) {
	var found []Identity
	for _, u := range c.URIs {
		if u.Scheme != scheme {
			continue
		}
		role, name, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
		i := Identity{Cluster: u.Host, Role: Role(role), Name: name}
		if i.Valid() != nil || i.String() != u.String() {
			return Identity{}, ErrNoIdentity
		}
		found = append(found, i)
	}
	if len(found) != 1 {
		return Identity{}, ErrNoIdentity
	}
	return found[0], nil
}
