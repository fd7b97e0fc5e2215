package state

import (
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// StoredSchema is a schema as it was written.
type StoredSchema struct {
	Revision tuple.Revision
	Command  *command.PutSchema // without its IfMatch and Orphans, which were the write's
}

func schemaKey(id storeID, rev tuple.Revision, chunk int) []byte {
	return binary.BigEndian.AppendUint16(revisionKey(prefixSchema, id, rev), uint16(chunk))
}

// encodeSchema returns what of a schema command is kept.
func encodeSchema(p *command.PutSchema) ([]byte, error) {
	kept := *p
	kept.IfMatch, kept.Orphans = command.SchemaMatch{}, command.OrphansRefuse
	return command.Entry{Commands: []command.Command{{Body: &kept}}}.Encode()
}

// readSchema returns the schema of a store as of the revision of txn; nil where
// there is none yet.
func readSchema(txn *badger.Txn, id storeID, at tuple.Revision) (*StoredSchema, error) {
	rev, err := lastRevision(txn, prefixSchema, id, at)
	if err != nil || rev == 0 {
		return nil, err
	}
	value, ok, err := getChunked(txn, func(chunk int) []byte { return schemaKey(id, rev, chunk) })
	if err == nil && !ok {
		err = fmt.Errorf("%w: a schema is missing", errCorruptKey)
	}
	if err != nil {
		return nil, err
	}
	entry, err := command.Decode(value)
	if err != nil {
		return nil, err
	}
	if len(entry.Commands) == 1 {
		if p, ok := entry.Commands[0].Body.(*command.PutSchema); ok {
			return &StoredSchema{Revision: rev, Command: p}, nil
		}
	}
	return nil, fmt.Errorf("%w: a schema is no schema", errCorruptKey)
}
