package raftstore_test

import (
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/pki"
)

// certificates makes an authority and a certificate for each of so many nodes.
func certificates(t *testing.T, cluster string, nodes int) []pki.Files {
	t.Helper()
	dir := t.TempDir()
	if err := pki.InitAuthority(dir, cluster, time.Now(), 365*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	all := make([]pki.Files, nodes)
	for i := range all {
		name := fmt.Sprint("node", i)
		if _, err := pki.Issue(dir, dir, pki.Request{Role: pki.RoleNode, Name: name, Valid: 24 * time.Hour}, time.Now()); err != nil {
			t.Fatal(err)
		}
		all[i] = pki.Files{Cert: filepath.Join(dir, name+".crt"), Key: filepath.Join(dir, name+".key"), CA: filepath.Join(dir, pki.AuthorityCert)}
	}
	return all
}

// Everything that a cluster does goes over TLS: joining, Raft, a snapshot to a
// newcomer, forwarded writes and reads, a member that stands, and a new leader.
func TestClusterOverTLS(t *testing.T) {
	files := certificates(t, "prod", 3)
	next := 0
	c := startCluster(t, 3, func(config *raftstore.Config) {
		config.Certificates = files[next]
		config.Insecure = false
		next++
	})
	putStore(t, c.nodes[0], "s")
	write(t, c.nodes[c.follower()], "s", change(command.Create, viewer("d", "u")))
	heir := c.follower()
	if err := c.nodes[heir].Stand(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if role := c.nodes[heir].Status().Role; role != "leader" {
			return fmt.Errorf("who stood is %s", role)
		}
		return nil
	})
	c.stop(c.leader())
	write(t, c.nodes[c.follower()], "s", change(command.Create, viewer("d", "v")))
	for _, n := range c.nodes {
		if n == nil {
			continue
		}
		if n.Secured() != "mutual TLS" {
			t.Errorf("the port is %s", n.Secured())
		}
		if got := keys(t, n, "s", raftstore.FullyConsistent()); len(got) != 2 {
			t.Errorf("%d tuples", len(got))
		}
		for why, count := range n.Strangers() {
			if count > 0 && why != "handshake" { // a member that stops breaks handshakes off
				t.Errorf("%d refused for %s", count, why)
			}
		}
	}
}

// A node whose certificate is no member's finds that out at its start.
func TestOwnCertificateIsChecked(t *testing.T) {
	files := certificates(t, "prod", 1)[0]
	other := certificates(t, "prod", 1)[0]
	files.CA = other.CA
	_, err := raftstore.Open(withPatience(t), raftstore.Config{Dir: t.TempDir(), ListenAddr: "127.0.0.1:0", Certificates: files})
	if err == nil {
		t.Fatal("a certificate of another authority is taken")
	}
	t.Log(err)
}

// A member that sends garbage where Raft speaks loses the connection; nothing is
// held, and nothing halts. Lengths are announced that no message has.
func TestGarbageOnRaftsStream(t *testing.T) {
	files := certificates(t, "prod", 1)[0]
	c := startCluster(t, 1, func(config *raftstore.Config) { config.Certificates, config.Insecure = files, false })
	putStore(t, c.nodes[0], "s")
	credentials, err := pki.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	id, err := hex.DecodeString(c.nodes[0].Status().ClusterID)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, garbage := range []string{
		"\xff",                     // no kind of message
		"\x00\xdf\xff\xff\xff\xff", // AppendEntries: a map of 4 billion
		"\x00\x81\xa7Entries\xdd\xff\xff\xff\xff\x80\x80",      // a list of 4 billion entries
		"\x00\x81\xa6Leader\xc6\xff\xff\xff\xff" + "xxxx",      // 4 GiB of bytes
		"\x00\x81\xa4Term\xdb\xff\xff\xff\xff" + "xxxx",        // a text of 4 GiB for a number
		"\x02\x81\xa4Size\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", // InstallSnapshot of 8 EiB
		"\x00" + strings.Repeat("\x91", 100_000),               // lists in lists
	} {
		conn, err := tls.Dial("tcp", c.configs[0].ListenAddr, credentials.Client())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, "R\x02"+string(id))
		if welcome, err := io.ReadAll(io.LimitReader(conn, 1)); err != nil || string(welcome) != "\x00" {
			t.Fatalf("the preface is answered by %q, %v", welcome, err)
		}
		io.WriteString(conn, garbage)
		conn.CloseWrite()
		if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%.20q: the connection stays open", garbage)
		}
		conn.Close()
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("garbage of a few bytes made it allocate %d MiB", grown>>20)
	}
	write(t, c.nodes[0], "s", change(command.Create, viewer("d", "u")))
	if s := c.nodes[0].Status(); !s.Ready || s.Fault != nil || s.Role != "leader" {
		t.Errorf("the node is %+v", s)
	}
}
