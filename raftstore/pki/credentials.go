package pki

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Files says where certificates are. They are PEM; a chain follows its
// certificate in Cert, and CA may hold several authorities: all of them are
// trusted, which is how one is replaced by another.
type Files struct {
	Cert string
	Key  string
	CA   string // whom to trust; "" where nobody shows a certificate
}

// Credentials are the certificates of a running process, as they were last read
// from their files. All methods may be called from several goroutines.
type Credentials struct {
	files   Files
	current atomic.Pointer[loaded]

	mu   sync.Mutex // guards what follows
	seen [3]stamp   // of the files as they were last looked at
}

// loaded is one reading of the files. It is immutable.
type loaded struct {
	pair  tls.Certificate
	trust *x509.CertPool // nil without a CA
}

// stamp tells whether a file changed.
type stamp struct {
	modified time.Time
	size     int64
}

// Load reads the files. Reload and Watch read them again.
func Load(files Files) (*Credentials, error) {
	c := &Credentials{files: files}
	if _, err := c.Reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Reload reads the files again where they have changed. On an error, everything
// stays in force as it was: half-written files are read again the next time.
func (c *Credentials) Reload() (changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.look()
	if now == c.seen && c.current.Load() != nil {
		return false, nil
	}
	l, err := c.files.read()
	if err != nil {
		return false, err
	}
	c.seen = now
	c.current.Store(l)
	return true, nil
}

func (c *Credentials) look() (s [3]stamp) {
	for i, name := range []string{c.files.Cert, c.files.Key, c.files.CA} {
		if info, err := os.Stat(name); err == nil {
			s[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return s
}

func (f Files) read() (*loaded, error) {
	pair, err := readPair(f.Cert, f.Key)
	if err != nil {
		return nil, err
	}
	l := &loaded{pair: pair}
	if f.CA == "" {
		return l, nil
	}
	text, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, err
	}
	l.trust = x509.NewCertPool()
	if !l.trust.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", f.CA)
	}
	return l, nil
}

// readPair reads a certificate and its key; Leaf of what it returns is set.
func readPair(cert, key string) (tls.Certificate, error) {
	chain, err := os.ReadFile(cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	private, err := os.ReadFile(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s with %s: %w", cert, key, err)
	}
	if pair.Leaf == nil {
		pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0])
	}
	return pair, err
}

// soon is how long before its end a certificate is complained about.
const soon = 14 * 24 * time.Hour

// Watch reads the files again at intervals, until the context ends, and says in
// the log what came of it. each, where it is not nil, is called at every interval:
// certificates run out without any change of a file.
func (c *Credentials) Watch(ctx context.Context, interval time.Duration, log *slog.Logger, each func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var said time.Time
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		c.Renew(log)
		if end := c.Leaf().NotAfter; time.Until(end) < soon && time.Since(said) > time.Hour {
			said = time.Now()
			log.Warn("the certificate runs out soon: replace its files, the node reads them by itself", "file", c.files.Cert, "until", end)
		}
		if each != nil {
			each()
		}
	}
}

// Renew is Reload, told to a log.
func (c *Credentials) Renew(log *slog.Logger) {
	changed, err := c.Reload()
	switch {
	case err != nil:
		log.Warn("changed certificates cannot be used; the former ones stay in force", "error", err)
	case changed:
		log.Info("certificates were read again", "file", c.files.Cert, "until", c.Leaf().NotAfter)
	}
}

// Leaf is the certificate that is shown.
func (c *Credentials) Leaf() *x509.Certificate { return c.current.Load().pair.Leaf }

// Chain is the certificate that is shown, and what follows it in its file.
func (c *Credentials) Chain() ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for _, der := range c.current.Load().pair.Certificate {
		next, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		chain = append(chain, next)
	}
	return chain, nil
}

// HasCA says whether others have to show a certificate.
func (c *Credentials) HasCA() bool { return c.files.CA != "" }

// Identity is whom the certificate names. Errors: ErrNoIdentity.
func (c *Credentials) Identity() (Identity, error) { return IdentityOf(c.Leaf()) }

// ErrCertificate means that a certificate is not a member's of this cluster: what
// it wraps says why.
var ErrCertificate = errors.New("the certificate is refused")

// Verify says whether a chain is a member's of this cluster, now, and whose. The
// usage is what the other end does: serve, or call. Errors: ErrCertificate.
func (c *Credentials) Verify(chain []*x509.Certificate, usage x509.ExtKeyUsage, now time.Time) (Identity, error) {
	who, err := c.verify(chain, usage, now)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return who, nil
}

func (c *Credentials) verify(chain []*x509.Certificate, usage x509.ExtKeyUsage, now time.Time) (Identity, error) {
	if len(chain) == 0 {
		return Identity{}, errors.New("no certificate was shown")
	}
	options := x509.VerifyOptions{
		Roots: c.current.Load().trust, Intermediates: x509.NewCertPool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage},
	}
	if options.Roots == nil { // nil would mean the system's authorities
		return Identity{}, errors.New("no certificate authority is trusted")
	}
	for _, between := range chain[1:] {
		options.Intermediates.AddCert(between)
	}
	if _, err := chain[0].Verify(options); err != nil {
		return Identity{}, err
	}
	theirs, err := IdentityOf(chain[0])
	if err != nil {
		return Identity{}, err
	}
	mine, err := c.Identity()
	if err != nil {
		return Identity{}, err
	}
	if theirs.Role != RoleNode || theirs.Cluster != mine.Cluster {
		return Identity{}, fmt.Errorf("it is %s, and not a node of the cluster %s", theirs, mine.Cluster)
	}
	return theirs, nil
}

// Server is the listening end of the cluster port. A handshake succeeds only with
// a member of this cluster.
func (c *Credentials) Server() *tls.Config { return c.mutual(x509.ExtKeyUsageClientAuth) }

// Client is the calling end of the cluster port. Members are told by whom their
// certificates name and not by host names: addresses may change.
func (c *Credentials) Client() *tls.Config { return c.mutual(x509.ExtKeyUsageServerAuth) }

func (c *Credentials) mutual(theirs x509.ExtKeyUsage) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true, // every connection shows its certificate
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true, // VerifyConnection does it, with the authorities of now
		VerifyConnection: func(s tls.ConnectionState) error {
			_, err := c.Verify(s.PeerCertificates, theirs, time.Now())
			return err
		},
		GetCertificate:       func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &c.current.Load().pair, nil },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c.current.Load().pair, nil },
	}
}

// Web is the listening end of the HTTP port: for every client, or with a CA for
// those whom it signed for. It offers no HTTP/2: every limit of the server is made
// for, and tried with, one request at a time on a connection.
func (c *Credentials) Web() *tls.Config {
	config := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &c.current.Load().pair, nil },
	}
	if !c.HasCA() {
		return config
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.SessionTicketsDisabled = true
	return &tls.Config{MinVersion: config.MinVersion, NextProtos: config.NextProtos, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := config.Clone()
		now.ClientCAs = c.current.Load().trust
		return now, nil
	}}
}
