package raftstore_test

import (
	"fmt"
	"path/filepath"
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
// newcomer, forwarded writes and reads, and a new leader.
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
