package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// namespaces are the links between nodes that run in network namespaces of their
// own, on a bridge of this machine. Clients are on the bridge too, and reach a node
// whose links to the others are cut.
type namespaces struct {
	id     string // in all names; of this process
	folder string // a shared mount, so that unmounting reaches every namespace
	places []*namespace
	shaped bool // this kernel has netem
}

// namespace is a place with a network and a file system of its own.
type namespace struct {
	all    *namespaces
	number int
	image  string // the disk
	mount  string
	boots  int
}

func run(name string, args ...string) error {
	if text, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(text)))
	}
	return nil
}

func newNamespaces(dir string) (*namespaces, error) {
	n := &namespaces{id: fmt.Sprint(os.Getpid() % 100000), folder: filepath.Join(dir, "disks")}
	if err := os.MkdirAll(n.folder, 0o700); err != nil {
		return nil, err
	}
	for _, step := range [][]string{
		{"mount", "--bind", n.folder, n.folder},
		{"mount", "--make-shared", n.folder},
		{"ip", "link", "add", n.bridge(), "type", "bridge"},
		{"ip", "addr", "add", n.address(200) + "/24", "dev", n.bridge()},
		{"ip", "link", "set", n.bridge(), "up"},
	} {
		if err := run(step[0], step[1:]...); err != nil {
			return nil, errors.Join(err, n.close())
		}
	}
	return n, nil
}

func (n *namespaces) bridge() string { return "pt" + n.id }

// address is one of a network that only this run uses.
func (n *namespaces) address(host int) string {
	return fmt.Sprintf("10.231.%d.%d", os.Getpid()%250, host)
}

// place makes a namespace with a disk.
func (n *namespaces) place(i int) (*namespace, error) {
	p := &namespace{all: n, number: i, image: filepath.Join(n.folder, fmt.Sprintf("disk%d.img", i)), mount: filepath.Join(n.folder, fmt.Sprint("node", i))}
	n.places = append(n.places, p)
	if err := errors.Join(os.MkdirAll(p.mount, 0o700), os.WriteFile(p.image, nil, 0o600), os.Truncate(p.image, 8<<30)); err != nil {
		return nil, err
	}
	for _, step := range [][]string{
		{"mkfs.ext4", "-q", p.image},
		{"mount", "-o", "loop", p.image, p.mount},
		{"ip", "netns", "add", p.name()},
		{"ip", "link", "add", p.link(), "type", "veth", "peer", "name", "eth0", "netns", p.name()},
		{"ip", "link", "set", p.link(), "master", n.bridge(), "up"},
		{"ip", "-n", p.name(), "addr", "add", n.address(i+1) + "/24", "dev", "eth0"},
		{"ip", "-n", p.name(), "link", "set", "eth0", "up"},
		{"ip", "-n", p.name(), "link", "set", "lo", "up"},
	} {
		if err := run(step[0], step[1:]...); err != nil {
			return nil, err
		}
	}
	n.shaped = run("ip", "netns", "exec", p.name(), "tc", "qdisc", "add", "dev", "eth0", "root", "netem", "delay", "1ms") == nil
	if n.shaped {
		if err := p.fast(); err != nil {
			return nil, err
		}
	}
	return p, p.boot()
}

func (p *namespace) name() string    { return fmt.Sprintf("pt%s-%d", p.all.id, p.number) }
func (p *namespace) link() string    { return fmt.Sprintf("pt%s.%d", p.all.id, p.number) }
func (p *namespace) http() string    { return p.all.address(p.number+1) + ":8420" }
func (p *namespace) cluster() string { return p.all.address(p.number+1) + ":8421" }
func (p *namespace) dir() string     { return filepath.Join(p.mount, "data") }

// boot gives the namespace a new name of its boot, by which a node knows that what
// was not synced may be gone.
func (p *namespace) boot() error {
	p.boots++
	return os.WriteFile(p.bootFile(), fmt.Appendf(nil, "%08x-0000-4000-8000-%012x\n", p.boots, p.number), 0o644)
}

func (p *namespace) bootFile() string { return p.image + ".boot" }

func (p *namespace) command(name string, args ...string) *exec.Cmd {
	script := `mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"`
	return exec.Command("ip", append([]string{"netns", "exec", p.name(), "sh", "-c", script, p.bootFile(), name}, args...)...)
}

// deafen loses what this node sends to another, or no longer does: its packets go
// to a hardware address that nobody has.
func (p *namespace) deafen(other *namespace, on bool) error {
	to := p.all.address(other.number + 1)
	if on {
		return run("ip", "-n", p.name(), "neigh", "replace", to, "lladdr", "02:00:00:00:00:99", "dev", "eth0", "nud", "permanent")
	}
	return run("ip", "-n", p.name(), "neigh", "flush", "to", to, "dev", "eth0", "nud", "permanent")
}

// plug pulls the node's cable, or puts it back.
func (p *namespace) plug(in bool) error {
	state := "down"
	if in {
		state = "up"
	}
	return run("ip", "link", "set", p.link(), state)
}

// slow delays and loses what the node sends, where the kernel can; otherwise it is
// squeezed through a narrow link.
func (p *namespace) slow() error {
	shape := []string{"tbf", "rate", "4mbit", "burst", "32kbit", "latency", "200ms"}
	if p.all.shaped {
		shape = []string{"netem", "delay", "20ms", "20ms", "loss", "3%", "duplicate", "1%", "reorder", "5%"}
	}
	return run("ip", append([]string{"netns", "exec", p.name(), "tc", "qdisc", "add", "dev", "eth0", "root"}, shape...)...)
}

func (p *namespace) fast() error {
	return run("ip", "netns", "exec", p.name(), "tc", "qdisc", "del", "dev", "eth0", "root")
}

// Calls of the file system, from linux/fs.h.
const (
	fsShutdown = 0x8004587d // ext4's, as _IOR('X', 125, __u32)
	noLogFlush = 2
	fsFreeze   = 0xc0045877
	fsThaw     = 0xc0045878
)

func (p *namespace) ioctl(request uint, value int) error {
	f, err := os.Open(p.mount)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.IoctlSetPointerInt(int(f.Fd()), request, value)
}

// cutPower makes the disk forget what was not synced: from here on nothing reaches
// it, as after a loss of power. The node's process must be killed, then restorePower called.
func (p *namespace) cutPower() error { return p.ioctl(fsShutdown, noLogFlush) }

// restorePower mounts the disk again, which replays its file system's journal.
func (p *namespace) restorePower() error {
	if err := run("umount", p.mount); err != nil {
		return err
	}
	return errors.Join(run("mount", "-o", "loop", p.image, p.mount), p.boot())
}

// freeze lets everything that writes to the disk hang, or go on.
func (p *namespace) freeze(on bool) error {
	if on {
		return p.ioctl(fsFreeze, 0)
	}
	return p.ioctl(fsThaw, 0)
}

func (p *namespace) close() error {
	return errors.Join(run("umount", p.mount), run("ip", "netns", "del", p.name()))
}

func (n *namespaces) close() error {
	return errors.Join(run("ip", "link", "del", n.bridge()), run("umount", n.folder))
}
