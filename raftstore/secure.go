package raftstore

import (
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
