package raftstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Sealed texts are url-safe base64 of: version, salt, nonce, AES-256-GCM
// ciphertext.
//
// The key is HMAC-SHA-256(secret, purpose, salt). A node seals with one random
// salt for sealSpan, then with another: deriving a key costs more than a check,
// and a key that lasts for ever would be worn out, since a cluster mints a token
// per answer and the nonces are random. The purpose is part of the key, so a
// cursor never opens as a token.
const (
	sealVersion = 2
	saltBytes   = 16
	nonceBytes  = 12
	sealSpan    = 10 * time.Second

	boxAt = 1 + saltBytes + nonceBytes // where the ciphertext begins
)

// sealer seals under one cluster's secret.
type sealer struct {
	tag    string // stands in front of every token
	secret command.Secret

	purposes sync.Map // purpose to *sealKeys
}

// sealKeys are the keys of one purpose that are at hand.
type sealKeys struct {
	current atomic.Pointer[sealKey]             // seals; nil at first
	opened  [openedKeys]atomic.Pointer[sealKey] // opened something genuine lately
	turn    atomic.Uint32                       // modulo openedKeys: which one goes next
}

// openedKeys is how many keys of other nodes and of earlier spans are at hand.
const openedKeys = 8

// sealKey is immutable.
type sealKey struct {
	salt [saltBytes]byte
	gcm  cipher.AEAD
	ends time.Time // when it stops sealing
}

func newSealer(id command.ClusterID, secret command.Secret) *sealer {
	sum := sha256.Sum256(append([]byte("pemba cluster tag "), id[:]...))
	return &sealer{tag: base64.RawURLEncoding.EncodeToString(sum[:tagBytes]), secret: secret}
}

func (s *sealer) keys(purpose string) *sealKeys {
	if keys, ok := s.purposes.Load(purpose); ok {
		return keys.(*sealKeys)
	}
	keys, _ := s.purposes.LoadOrStore(purpose, &sealKeys{})
	return keys.(*sealKeys)
}

func (s *sealer) derive(purpose string, salt [saltBytes]byte) (*sealKey, error) {
	mac := hmac.New(sha256.New, s.secret[:])
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(purpose)))
	mac.Write(length[:])
	mac.Write([]byte(purpose))
	mac.Write(salt[:])
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	return &sealKey{salt: salt, gcm: gcm}, err
}

// sealing returns the key of now.
func (s *sealer) sealing(purpose string) (*sealKey, error) {
	keys := s.keys(purpose)
	if key := keys.current.Load(); key != nil && time.Until(key.ends) > 0 {
		return key, nil
	}
	var salt [saltBytes]byte
	rand.Read(salt[:]) // never fails
	key, err := s.derive(purpose, salt)
	if err != nil {
		return nil, err
	}
	key.ends = time.Now().Add(sealSpan)
	keys.current.Store(key) // another caller's may win: both are good
	return key, nil
}

func (s *sealer) seal(purpose string, plain []byte) (string, error) {
	return s.sealBehind("", purpose, plain)
}

// desk is where texts are sealed, used again and again.
type desk struct{ plain, box, text []byte }

var desks = sync.Pool{New: func() any { return &desk{box: make([]byte, boxAt)} }}

// sealBehind returns a sealed text with another in the clear in front of it.
func (s *sealer) sealBehind(clear, purpose string, plain []byte) (string, error) {
	key, err := s.sealing(purpose)
	if err != nil {
		return "", err
	}
	d := desks.Get().(*desk)
	defer desks.Put(d)
	d.plain = append(d.plain[:0], plain...)
	d.box = d.box[:boxAt]
	d.box[0] = sealVersion
	copy(d.box[1:], key.salt[:])
	rand.Read(d.box[1+saltBytes:]) // never fails
	d.box = key.gcm.Seal(d.box, d.box[1+saltBytes:], d.plain, d.box[:1])
	d.text = base64.RawURLEncoding.AppendEncode(append(d.text[:0], clear...), d.box)
	return string(d.text), nil
}

func (s *sealer) unseal(purpose, sealed string) ([]byte, error) {
	in, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || len(in) < boxAt || in[0] != sealVersion {
		return nil, ErrSealed
	}
	keys, salt := s.keys(purpose), [saltBytes]byte(in[1:])
	key := keys.find(salt)
	known := key != nil
	if !known {
		if key, err = s.derive(purpose, salt); err != nil {
			return nil, err
		}
	}
	plain, err := key.gcm.Open(nil, in[1+saltBytes:boxAt], in[boxAt:], in[:1])
	if err != nil {
		return nil, ErrSealed
	}
	if !known { // only what is genuine is kept, so that forgeries push nothing out
		keys.opened[keys.turn.Add(1)%openedKeys].Store(key)
	}
	return plain, nil
}

// find returns the key of a salt where it is at hand. Salts are no secret.
func (k *sealKeys) find(salt [saltBytes]byte) *sealKey {
	if key := k.current.Load(); key != nil && key.salt == salt {
		return key
	}
	for i := range k.opened {
		if key := k.opened[i].Load(); key != nil && key.salt == salt {
			return key
		}
	}
	return nil
}

// tokenPurpose separates tokens from everything that callers seal.
const tokenPurpose = "pemba token"

// A token is an opaque box with a clear tag in front of it that only tells
// clusters apart: without it a token of another cluster could not be told from a
// forged one. The tag is a hash of the cluster id.
func (s *sealer) token(r tuple.Revision) (tuple.Token, error) {
	var plain [8]byte
	binary.BigEndian.PutUint64(plain[:], uint64(r))
	text, err := s.sealBehind(s.tag+".", tokenPurpose, plain[:])
	return tuple.Token(text), err
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
