package pki_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore/pki"
)

func issue(t *testing.T, dir, out string, role pki.Role, name string) pki.Files {
	t.Helper()
	if _, err := pki.Issue(dir, out, pki.Request{Role: role, Name: name, Hosts: []string{"127.0.0.1"}, Valid: time.Hour}, time.Now()); err != nil {
		t.Fatal(err)
	}
	return pki.Files{Cert: filepath.Join(out, name+".crt"), Key: filepath.Join(out, name+".key"), CA: filepath.Join(dir, pki.AuthorityCert)}
}

func authority(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := pki.InitAuthority(dir, "prod", time.Now(), 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The web port shows a replaced certificate to the next client, and takes clients
// of a replaced authority.
func TestWebFollowsItsFiles(t *testing.T) {
	ca, otherCA := authority(t), authority(t)
	files := issue(t, ca, t.TempDir(), pki.RoleNode, "a")
	clientCA := filepath.Join(t.TempDir(), "clients.crt")
	replace(t, clientCA, filepath.Join(ca, pki.AuthorityCert))
	server, err := pki.Load(pki.Files{Cert: files.Cert, Key: files.Key, CA: clientCA})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", server.Web())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(conn, conn); conn.Close() }()
		}
	}()
	ask := func(by pki.Files) (*big.Int, error) {
		pair, err := tls.LoadX509KeyPair(by.Cert, by.Key)
		if err != nil {
			t.Fatal(err)
		}
		trusted := x509.NewCertPool()
		text, err := os.ReadFile(files.CA)
		if err != nil {
			t.Fatal(err)
		}
		trusted.AppendCertsFromPEM(text)
		conn, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{RootCAs: trusted, Certificates: []tls.Certificate{pair}})
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.WriteString(conn, "x"); err != nil {
			return nil, err
		}
		_, err = io.ReadFull(conn, make([]byte, 1))
		return conn.ConnectionState().PeerCertificates[0].SerialNumber, err
	}
	carl, eve := issue(t, ca, t.TempDir(), pki.RoleClient, "carl"), issue(t, otherCA, t.TempDir(), pki.RoleClient, "eve")
	first, err := ask(carl)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(eve); err == nil {
		t.Error("a client of another authority is let in")
	}
	fresh := issue(t, ca, t.TempDir(), pki.RoleNode, "a")
	replace(t, files.Cert, fresh.Cert)
	replace(t, files.Key, fresh.Key)
	replace(t, clientCA, filepath.Join(otherCA, pki.AuthorityCert))
	if changed, err := server.Reload(); !changed || err != nil {
		t.Fatalf("reload: %v %v", changed, err)
	}
	second, err := ask(eve)
	if err != nil {
		t.Fatal(err)
	}
	if first.Cmp(second) == 0 {
		t.Error("the former certificate is shown")
	}
	if _, err := ask(carl); err == nil {
		t.Error("a client of the former authority is let in")
	}
	if _, err := net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Error(err)
	}
}

func replace(t *testing.T, to, from string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
