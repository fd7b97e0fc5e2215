package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pemba-authz/pemba/raftstore/pki"
	"github.com/urfave/cli/v2"
)

// day is what certificates' lives are counted in.
const day = 24 * time.Hour

// authorityCommand makes the certificate authority of a cluster.
func authorityCommand() *cli.Command {
	return &cli.Command{
		Name: "ca", Usage: "the certificate authority of a cluster",
		Subcommands: []*cli.Command{{
			Name: "init", Usage: "make a certificate authority in a folder: " + pki.AuthorityCert + " and " + pki.AuthorityKey,
			Description: "ca.crt goes to every node and client. ca.key stays where it is: who has it can make members.",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "cluster", Usage: "`NAME` of the cluster, as its certificates carry it"},
				caFolderFlag(),
				&cli.IntFlag{Name: "days", Value: 3650, Usage: "how long it is valid, in `DAYS`"},
				jsonFlag,
			},
			Action: initAuthority,
		}},
	}
}

// certificateCommand makes and shows certificates.
func certificateCommand() *cli.Command {
	return &cli.Command{
		Name: "cert", Usage: "certificates of nodes and clients",
		Subcommands: []*cli.Command{
			{
				Name: "issue", Usage: "make a certificate with a key: NAME.crt and NAME.key", ArgsUsage: "NAME",
				Flags: []cli.Flag{
					caFolderFlag(),
					&cli.StringFlag{Name: "role", Value: string(pki.RoleNode), Usage: "`node` for a member, client for who asks by HTTP"},
					&cli.StringSliceFlag{Name: "host", Usage: "`HOST` name or IP address by which clients reach the node's HTTP port; may be repeated"},
					&cli.StringFlag{Name: "out", Usage: "`FOLDER` of the two files; the authority's without it"},
					&cli.IntFlag{Name: "days", Value: 365, Usage: "how long it is valid, in `DAYS`"},
					jsonFlag,
				},
				Action: issueCertificate,
			},
			{Name: "show", Usage: "whom a certificate names, and until when", ArgsUsage: "FILE", Flags: []cli.Flag{jsonFlag}, Action: showCertificate},
		},
	}
}

func caFolderFlag() cli.Flag {
	return &cli.StringFlag{Name: "dir", Value: "ca", Usage: "`FOLDER` of the authority"}
}

func validity(c *cli.Context) (time.Duration, error) {
	days := c.Int("days")
	if days < 1 || days > 36500 {
		return 0, &usageError{command: commandPath(c), message: fmt.Sprintf("--days %d is not between 1 and 36500", days)}
	}
	return time.Duration(days) * day, nil
}

func initAuthority(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	if c.String("cluster") == "" {
		return &usageError{command: commandPath(c), message: "the cluster has no name", suggestion: "set --cluster NAME: certificates of other names are refused"}
	}
	valid, err := validity(c)
	if err != nil {
		return err
	}
	dir := c.String("dir")
	if err := pki.InitAuthority(dir, c.String("cluster"), time.Now(), valid); err != nil {
		return overwriting(err)
	}
	return describeCertificate(c, filepath.Join(dir, pki.AuthorityCert), filepath.Join(dir, pki.AuthorityKey))
}

func issueCertificate(c *cli.Context) error {
	args, err := arguments(c, "NAME")
	if err != nil {
		return err
	}
	valid, err := validity(c)
	if err != nil {
		return err
	}
	out := c.String("out")
	if out == "" {
		out = c.String("dir")
	}
	request := pki.Request{Role: pki.Role(c.String("role")), Name: args[0], Hosts: c.StringSlice("host"), Valid: valid}
	if _, err := pki.Issue(c.String("dir"), out, request, time.Now()); err != nil {
		return overwriting(err)
	}
	return describeCertificate(c, filepath.Join(out, args[0]+".crt"), filepath.Join(out, args[0]+".key"))
}

// overwriting says what to do where a file is there already.
func overwriting(err error) error {
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%w: nothing was overwritten; move it away first, or choose another folder", err)
	}
	return err
}

func showCertificate(c *cli.Context) error {
	args, err := arguments(c, "FILE")
	if err != nil {
		return err
	}
	return describeCertificate(c, args[0], "")
}

// certificateInfo is what --json shows of a certificate.
type certificateInfo struct {
	File      string    `json:"file"`
	Key       string    `json:"key,omitzero"`
	Identity  string    `json:"identity"`
	Hosts     []string  `json:"hosts,omitzero"`
	Authority bool      `json:"authority"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
}

func describeCertificate(c *cli.Context, file, key string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("%s holds no certificate in PEM", file)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	info := certificateInfo{File: file, Key: key, Identity: "none", Hosts: certificate.DNSNames, Authority: certificate.IsCA,
		NotBefore: certificate.NotBefore, NotAfter: certificate.NotAfter}
	for _, ip := range certificate.IPAddresses {
		info.Hosts = append(info.Hosts, ip.String())
	}
	if who, err := pki.IdentityOf(certificate); err == nil {
		info.Identity = who.String()
	} else if certificate.IsCA {
		info.Identity = "authority " + certificate.Subject.CommonName
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, info)
	}
	fmt.Fprintf(c.App.Writer, "%s\n  names %s\n", file, info.Identity)
	if len(info.Hosts) > 0 {
		fmt.Fprintf(c.App.Writer, "  hosts %s\n", strings.Join(info.Hosts, ", "))
	}
	fmt.Fprintf(c.App.Writer, "  valid %s to %s\n", info.NotBefore.UTC().Format(time.DateOnly), info.NotAfter.UTC().Format(time.DateOnly))
	if key != "" {
		fmt.Fprintf(c.App.Writer, "%s\n  is secret\n", key)
	}
	return nil
}
