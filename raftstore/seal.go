package raftstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Sealed texts are url-safe base64 of: version, salt, AES-256-GCM ciphertext.
//
// Every text has a key of its own, HMAC-SHA-256(secret, purpose, salt), so the
// nonce is constant: a cluster mints a token per answer, and random 96-bit nonces
// under one key would be worn out within a day. The purpose is part of the key,
// so a cursor never opens as a token.
const (
	sealVersion = 1
	saltBytes   = 16
)

// sealer seals under one cluster's secret. It is immutable.
type sealer struct {
	tag    string // stands in front of every token
	secret command.Secret
}

func newSealer(id command.ClusterID, secret command.Secret) *sealer {
	sum := sha256.Sum256(append([]byte("pemba cluster tag "), id[:]...))
	return &sealer{tag: base64.RawURLEncoding.EncodeToString(sum[:tagBytes]), secret: secret}
}

func (s *sealer) aead(purpose string, salt []byte) (cipher.AEAD, error) {
	mac := hmac.New(sha256.New, s.secret[:])
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(purpose)))
	mac.Write(length[:])
	mac.Write([]byte(purpose))
	mac.Write(salt)
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func (s *sealer) seal(purpose string, plain []byte) (string, error) {
	out := make([]byte, 1+saltBytes, 1+saltBytes+len(plain)+16)
	out[0] = sealVersion
	rand.Read(out[1:]) // never fails
	gcm, err := s.aead(purpose, out[1:])
	if err != nil {
		return "", err
	}
	out = gcm.Seal(out, make([]byte, gcm.NonceSize()), plain, out[:1])
	return base64.RawURLEncoding.EncodeToString(out), nil
}

func (s *sealer) unseal(purpose, sealed string) ([]byte, error) {
	in, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || len(in) < 1+saltBytes || in[0] != sealVersion {
		return nil, ErrSealed
	}
	gcm, err := s.aead(purpose, in[1:1+saltBytes])
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, make([]byte, gcm.NonceSize()), in[1+saltBytes:], in[:1])
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// tokenPurpose separates tokens from everything that callers seal.
const tokenPurpose = "pemba token"

// A token is an opaque box with a clear tag in front of it that only tells
// clusters apart: without it a token of another cluster could not be told from a
// forged one. The tag is a hash of the cluster id.
func (s *sealer) token(r tuple.Revision) (tuple.Token, error) {
	var plain [8]byte
	binary.BigEndian.PutUint64(plain[:], uint64(r))
	box, err := s.seal(tokenPurpose, plain[:])
	return tuple.Token(s.tag + "." + box), err
}

func (s *sealer) parseToken(t tuple.Token) (tuple.Revision, error) {
	tag, box, ok := cutToken(string(t))
	if !ok {
		return 0, ErrTokenMalformed
	}
	if tag != s.tag {
		return 0, ErrTokenOtherCluster
	}
	plain, err := s.unseal(tokenPurpose, box)
	if err != nil || len(plain) != 8 {
		return 0, ErrTokenMalformed
	}
	return tuple.Revision(binary.BigEndian.Uint64(plain)), nil
}

// tagBytes of clear tag are enough to tell clusters apart; they prove nothing.
const tagBytes = 6

// cutToken splits a token into its tag and its box, checking the form of the tag.
func cutToken(t string) (tag, box string, ok bool) {
	const tagLength = tagBytes * 4 / 3
	if len(t) < tagLength+2 || t[tagLength] != '.' {
		return "", "", false
	}
	tag, box = t[:tagLength], t[tagLength+1:]
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(tag); err != nil || len(raw) != tagBytes {
		return "", "", false
	}
	return tag, box, true
}
