package raftstore

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/pemba-authz/pemba/raftstore/pki"
)

// loadCertificates reads what this node shows to other members, and refuses what
// they would refuse.
func (n *Node) loadCertificates() error {
	if n.config.Certificates == (pki.Files{}) || n.config.ListenAddr == "" {
		return nil
	}
	credentials, err := pki.Load(n.config.Certificates)
	if err != nil {
		return fmt.Errorf("the certificates of the cluster port: %w", err)
	}
	chain, err := credentials.Chain()
	if err != nil {
		return err
	}
	who, err := credentials.Verify(chain, x509.ExtKeyUsageServerAuth, time.Now())
	if err == nil {
		_, err = credentials.Verify(chain, x509.ExtKeyUsageClientAuth, time.Now())
	}
	if err != nil {
		return fmt.Errorf("%w: this node's own, %s: %w", ErrCertificate, n.config.Certificates.Cert, err)
	}
	n.log.Info("the cluster port speaks mutual TLS", "certificate", who.String(), "until", credentials.Leaf().NotAfter)
	n.credentials = credentials
	return nil
}

// watchCertificates keeps the certificates current, and ends connections whose
// other end would not be let in any more.
func (n *Node) watchCertificates() {
	if n.credentials == nil {
		if n.config.Insecure {
			n.log.Warn("the cluster port is insecure: whoever reaches it can read and change everything", "address", n.port.Addr().String())
		}
		return
	}
	n.background.Go(func() {
		n.credentials.Watch(n.ctx, n.config.CertificateInterval, n.log, n.port.recheck)
	})
}

// ReloadCertificates reads the certificates of the cluster port again now, instead
// of within CertificateInterval.
func (n *Node) ReloadCertificates() {
	if n.credentials != nil {
		n.credentials.Renew(n.log)
		n.port.recheck()
	}
}

// handlerFor answers the requests of one connection, whose other end has shown a
// certificate of from.
func (n *Node) handlerFor(from pki.Identity) peerHandler {
	return func(ctx context.Context, m method, payload []byte) ([]byte, error) {
		if err := n.serving(); err != nil {
			return nil, err
		}
		switch m { // what also those may ask who are no members
		case methodJoin:
			return n.handleJoin(ctx, from, payload)
		case methodStanding:
			return n.handleStanding(string(payload))
		}
		if !n.mayAsk(from) {
			return nil, ErrNotMember
		}
		return n.handle(ctx, m, payload)
	}
}

// mayAsk says whether a certificate is of a present member. One that was removed
// keeps its certificate until it runs out, and must not get any data by it. Of
// Raft's own streams this is not asked: a node that was away for long would refuse
// a leader that joined meanwhile, and never hear of it.
func (n *Node) mayAsk(from pki.Identity) bool {
	if n.credentials == nil {
		return true
	}
	for _, m := range n.state.Members() {
		if m.Name == from.Name || m.Name == "" { // "": from before it had a certificate
			return true
		}
	}
	return false
}

// name is what this node's certificate calls it; "" without one.
func (n *Node) name() string {
	if n.credentials == nil {
		return ""
	}
	who, err := n.credentials.Identity()
	if err != nil {
		return ""
	}
	return who.Name
}

// Secured says how the cluster port is guarded: "mutual TLS", "loopback",
// "insecure", or "none" where there is no port.
func (n *Node) Secured() string {
	switch {
	case n.port == nil:
		return "none"
	case n.credentials != nil:
		return "mutual TLS"
	case n.config.Insecure:
		return "insecure"
	}
	return "loopback"
}
