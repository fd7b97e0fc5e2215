package state

import (
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/graph"
)

// maxStoreName is the longest name of a store, in bytes.
const maxStoreName = 128

// validStoreName says whether a name can stand in a URL's path as it is.
func validStoreName(name string) bool {
	if name == "" || len(name) > maxStoreName || name[0] == '.' {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
		if !ok {
			return false
		}
	}
	return true
}

func (a *applier) putStore(name string, index command.StoreIndex, res *command.Result) error {
	s := a.s
	if st, ok := s.byName[name]; ok {
		if index != command.IndexUnsaid && index != st.kind() {
			return reject(command.CodeStoreIndexDiffers, -1, "export it into a store of another name that is made with the other index",
				"the store %q was made with the index %s", name, st.kind())
		}
		res.Store = st.draft()
		return nil
	}
	if !validStoreName(name) {
		return reject(command.CodeStoreNameInvalid, -1,
			"use 1 to 128 letters, digits, '-', '_' and '.', the first of them no '.'", "%q is no name for a store", name)
	}
	st := &store{id: s.nextID, name: name, created: a.index, createdAt: a.now, names: newNames(), stats: newStats()}
	if index == command.IndexDisk {
		st.disk = true
	} else {
		st.index = graph.New()
	}
	s.nextID++
	s.byName[name], s.byID[st.id] = st, st
	a.set(storeKey(st.id), st.storeRecord(0))
	a.events = append(a.events, event{st.id, eventStoreCreated})
	a.publish = append(a.publish, func() {
		s.head.stores[name], s.head.all[st.id] = st, st
		st.publishedMark = st.mark()
	})
	res.Store = st.draft()
	res.Store.New = true
	return nil
}

// deleteStore takes the store out of sight at once. Its keys stay readable at
// older revisions until the history floor passes; then the cleaner removes them.
func (a *applier) deleteStore(st *store, res *command.Result) error {
	s := a.s
	res.Store = st.draft()
	res.Deleted = st.stats.Live
	delete(s.byName, st.name)
	a.dropped = append(a.dropped, st)
	a.set(storeKey(st.id), st.storeRecord(a.index))
	a.events = append(a.events, event{st.id, eventStoreDeleted})
	a.publish = append(a.publish, func() {
		delete(s.unsettled, st.index)
		st.deleted, st.index = a.index, nil // open views keep the index that they have
		if s.head.stores[st.name] == st {
			delete(s.head.stores, st.name)
		}
	})
	return nil
}

// draft describes the store as apply sees it, ahead of what is published.
func (st *store) draft() *command.StoreInfo {
	return &command.StoreInfo{Name: st.name, ID: uint32(st.id), Created: st.created, Index: st.kind(),
		CreatedAt: time.Unix(0, st.createdAt).UTC(), SchemaRevision: st.schema}
}

// firstStore is the number of the first store; 0 is none.
const firstStore storeID = 1

// nextStore returns the number after the highest given. Store records outlive
// their stores as long as anything of them is on disk, and the highest one for
// ever, so that no number is given twice.
func nextStore(stores []*store) storeID {
	next := firstStore
	for _, st := range stores {
		next = max(next, st.id+1)
	}
	return next
}
