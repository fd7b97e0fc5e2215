package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// The files of an authority, in a folder of their own.
const (
	AuthorityCert = "ca.crt" // goes to every node and client
	AuthorityKey  = "ca.key" // goes nowhere
)

// backdate is by how much a certificate begins before it was made, since the
// clocks of machines differ.
const backdate = 10 * time.Minute

// InitAuthority makes a certificate authority for a cluster in a folder. It
// overwrites nothing: where there is one, the error wraps os.ErrExist.
func InitAuthority(dir, cluster string, now time.Time, valid time.Duration) error {
	if err := (Identity{Cluster: cluster, Role: RoleNode, Name: "any"}).Valid(); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: "Pemba cluster " + cluster},
		// The cluster that it signs for, told as in the certificates themselves.
		URIs:                  []*url.URL{{Scheme: scheme, Host: cluster}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(valid),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return writePair(filepath.Join(dir, AuthorityCert), filepath.Join(dir, AuthorityKey), der, key)
}

// Request says which certificate to make.
type Request struct {
	Role  Role
	Name  string
	Hosts []string // host names and IP addresses that clients reach it by; a client needs none
	Valid time.Duration
}

// Issue makes a certificate with a key of its own: NAME.crt and NAME.key in the
// folder out, signed by the authority in dir. It overwrites nothing (os.ErrExist).
func Issue(dir, out string, r Request, now time.Time) (Identity, error) {
	pair, err := readPair(filepath.Join(dir, AuthorityCert), filepath.Join(dir, AuthorityKey))
	if err != nil {
		return Identity{}, fmt.Errorf("the certificate authority: %w", err)
	}
	authority := pair.Leaf
	if !authority.IsCA || len(authority.URIs) != 1 || authority.URIs[0].Scheme != scheme {
		return Identity{}, fmt.Errorf("%s is not a certificate authority of a cluster", filepath.Join(dir, AuthorityCert))
	}
	who := Identity{Cluster: authority.URIs[0].Host, Role: r.Role, Name: r.Name}
	if err := who.Valid(); err != nil {
		return Identity{}, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: r.Name},
		URIs:                  []*url.URL{who.uri()},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(r.Valid),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	if template.NotAfter.After(authority.NotAfter) {
		return Identity{}, fmt.Errorf("the certificate would outlive its authority, which ends on %s", authority.NotAfter.UTC().Format(time.DateOnly))
	}
	if r.Role == RoleNode {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range r.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Identity{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority, key.Public(), pair.PrivateKey)
	if err != nil {
		return Identity{}, err
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return Identity{}, err
	}
	return who, writePair(filepath.Join(out, r.Name+".crt"), filepath.Join(out, r.Name+".key"), der, key)
}

// serial is random: 127 bits, so that two authorities of one name never give the same.
func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}

func writePair(certFile, keyFile string, der []byte, key crypto.Signer) error {
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(keyFile, 0o600, "PRIVATE KEY", private); err != nil {
		return err
	}
	if err := writePEM(certFile, 0o644, "CERTIFICATE", der); err != nil {
		return errors.Join(err, os.Remove(keyFile)) // a key without its certificate is of no use
	}
	return nil
}

func writePEM(name string, mode os.FileMode, kind string, der []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	return errors.Join(pem.Encode(f, &pem.Block{Type: kind, Bytes: der}), f.Sync(), f.Close())
}
