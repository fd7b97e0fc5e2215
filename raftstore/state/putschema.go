package state

import (
	"crypto/sha256"
	"fmt"

	"github.com/pemba-authz/pemba/raftstore/command"
)

// putSchema judges and writes a schema. It never compiles: the proposer has, and
// the admission table says all that apply needs.
func (a *applier) putSchema(st *store, p *command.PutSchema, res *command.Result) error {
	if err := matchSchema(st, p.IfMatch); err != nil {
		return err
	}
	kept, err := encodeSchema(p)
	if err != nil {
		return reject(command.CodeSchemaInvalid, -1, "", "the schema cannot be stored: %v", err)
	}
	fingerprint, digest := sha256.Sum256(kept), p.Digest()
	res.Store = st.draft()
	if st.schema != 0 && fingerprint == st.fingerprint {
		res.Schema = &command.SchemaResult{Revision: st.schema, Digest: digest, Unchanged: true}
		return nil
	}
	if err := validAdmission(p); err != nil {
		return err
	}
	found, err := a.findOrphans(st, p.Admission)
	if err != nil {
		return err
	}
	if err := a.resolveOrphans(st, found, p.Orphans, res); err != nil {
		return err
	}
	err = putChunked(kept, func(chunk int, value []byte) { a.set(schemaKey(st.id, a.index, chunk), value) })
	if err != nil {
		return reject(command.CodeSchemaInvalid, -1, "split it", "the schema cannot be stored: %v", err)
	}
	st.names.number(st.id, p.Admission, a.set) // in memory too: nothing may reject the command from here on
	st.setSchema(a.index, p.Admission, fingerprint, digest)
	a.events = append(a.events, event{st.id, eventSchema})
	a.publish = append(a.publish, func() { st.publishedSchema = a.index })
	res.Store.SchemaRevision = a.index
	res.Schema = &command.SchemaResult{Revision: a.index, Digest: digest, Orphans: found.shapes()}
	return nil
}

// matchSchema judges the If-Match of a schema write.
func matchSchema(st *store, m command.SchemaMatch) error {
	conflict := func(format string, args ...any) error {
		return reject(command.CodeSchemaConflict, -1, "read the schema again and apply your change to it", format, args...)
	}
	switch {
	case m.None && st.schema != 0:
		return conflict("the store %q has a schema already", st.name)
	case m.Revision != 0 && m.Revision != st.schema, m.Digest != [32]byte{} && m.Digest != st.digest:
		return conflict("the schema of store %q is another one by now", st.name)
	}
	return nil
}

// maxNames bounds the types, relations and conditions of one schema.
const maxNames = 100_000

// validAdmission refuses a table that apply could not use. A compiled schema
// never has one.
func validAdmission(p *command.PutSchema) error {
	invalid := func(format string, args ...any) error {
		return reject(command.CodeSchemaInvalid, -1, "compile the schema with this version of Pemba",
			"the admission table is not usable: %s", fmt.Sprintf(format, args...))
	}
	total := len(p.Admission.Types) + len(p.Admission.Conditions)
	types := map[string]bool{"": true}
	for _, t := range p.Admission.Types {
		if types[t.Name] {
			return invalid("type %q stands there twice or has no name", t.Name)
		}
		types[t.Name] = true
		relations := map[string]bool{"": true}
		for _, r := range t.Relations {
			if relations[r.Name] {
				return invalid("%s#%s stands there twice or has no name", t.Name, r.Name)
			}
			relations[r.Name] = true
		}
		total += len(t.Relations)
	}
	conditions := map[string]bool{"": true}
	for _, c := range p.Admission.Conditions {
		if conditions[c.Name] {
			return invalid("condition %q stands there twice or has no name", c.Name)
		}
		conditions[c.Name] = true
	}
	if total > maxNames {
		return invalid("it has %d names, %d are the most", total, maxNames)
	}
	return nil
}
