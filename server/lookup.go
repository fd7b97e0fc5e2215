package server

import (
	"net/http"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/pemba-authz/pemba/server/body"
)

// lookup opens the page of a lookup and what the engine walks for it.
func (s *Server) lookup(r *http.Request, asked api.Page, when api.Moment, key any, with brought, faults api.Faults) (*page, engine.View, error) {
	p, err := s.page(r, asked, when, key, faults)
	if err != nil {
		return nil, engine.View{}, err
	}
	view, err := s.engineView(p.snapshot, with)
	if err != nil {
		p.Close()
		return nil, engine.View{}, err
	}
	return p, view, nil
}

// lookupObjects answers POST …/lookup/objects: a page, or a stream, of the
// objects of a type on which the subject has the permission.
func (s *Server) lookupObjects(w http.ResponseWriter, r *http.Request) error {
	var request api.LookupObjectsRequest
	if _, err := s.decode(w, r, &request); err != nil {
		return err
	}
	var q engine.ObjectsQuestion
	with, faults := s.bring(request.Brought)
	q.Type, faults = name("/object_type", request.ObjectType, true, faults)
	q.Permission, faults = name("/permission", request.Permission, false, faults)
	q.Subject, faults = subject("/subject", request.Subject, faults)
	key := request
	key.Page, key.Consistency = api.Page{}, nil
	p, view, err := s.lookup(r, request.Page, request.Moment, key, with, faults)
	if err != nil {
		return err
	}
	defer p.Close()
	places := places{objectType: q.Type, object: "/object_type", permission: q.Permission, subject: "/subject"}
	entries := func(yield func(api.FoundObject, string, error) bool) {
		for found, err := range engine.StreamObjects(&p.pace, view, q, p.after) {
			entry := api.FoundObject{Object: found.Object.String(), Result: result(found.Answer.Outcome), Missing: found.Answer.Missing}
			if !yield(entry, found.Object.ID, places.of(err)) {
				return
			}
		}
	}
	return answerPage(s, w, r, p, "objects", body.AppendFoundObject, entries)
}

// lookupSubjects answers POST …/lookup/subjects: one entry per named subject, and
// at most one wildcard entry for all others.
func (s *Server) lookupSubjects(w http.ResponseWriter, r *http.Request) error {
	var request api.LookupSubjectsRequest
	if _, err := s.decode(w, r, &request); err != nil {
		return err
	}
	var q engine.SubjectsQuestion
	with, faults := s.bring(request.Brought)
	q.Object, faults = object("/object", request.Object, faults)
	q.Permission, faults = name("/permission", request.Permission, false, faults)
	q.Type, faults = name("/subject_type", request.SubjectType, true, faults)
	if q.Relation = request.SubjectRelation; q.Relation != "" {
		_, faults = name("/subject_relation", q.Relation, false, faults)
	}
	key := request
	key.Page, key.Consistency = api.Page{}, nil
	p, view, err := s.lookup(r, request.Page, request.Moment, key, with, faults)
	if err != nil {
		return err
	}
	defer p.Close()
	places := places{objectType: q.Object.Type, object: "/object", permission: q.Permission, subject: "/subject_type"}
	entries := func(yield func(api.FoundSubject, string, error) bool) {
		for found, err := range engine.StreamSubjects(&p.pace, view, q, p.after) {
			entry := api.FoundSubject{Subject: found.Subject.String(), Result: result(found.Answer.Outcome), Missing: found.Answer.Missing}
			if entry.Result == api.Denied { // it is named because everybody else has it
				entry.Result = api.Excluded
			}
			if !yield(entry, found.Subject.ID, places.of(err)) {
				return
			}
		}
	}
	return answerPage(s, w, r, p, "subjects", body.AppendFoundSubject, entries)
}

// lookupPermissions answers POST …/lookup/permissions: what the subject has of
// the object's relations and permissions, in the order of the schema.
func (s *Server) lookupPermissions(w http.ResponseWriter, r *http.Request) error {
	var request api.LookupPermissionsRequest
	if _, err := s.decode(w, r, &request); err != nil {
		return err
	}
	with, faults := s.bring(request.Brought)
	o, faults := object("/object", request.Object, faults)
	who, faults := subject("/subject", request.Subject, faults)
	key := request
	key.Page, key.Consistency = api.Page{}, nil
	p, view, err := s.lookup(r, request.Page, request.Moment, key, with, faults)
	if err != nil {
		return err
	}
	defer p.Close()
	all, err := engine.LookupPermissions(&p.pace, view, o, who)
	if err != nil {
		return places{objectType: o.Type, object: "/object", subject: "/subject"}.of(err)
	}
	entries := func(yield func(api.FoundPermission, string, error) bool) {
		behind := p.after == ""
		for _, found := range all {
			if behind && found.Answer.Outcome != engine.Denied {
				entry := api.FoundPermission{Permission: found.Name, Relation: !found.Permission,
					Result: result(found.Answer.Outcome), Missing: found.Answer.Missing}
				if !yield(entry, found.Name, nil) {
					return
				}
			}
			behind = behind || found.Name == p.after
		}
	}
	return answerPage(s, w, r, p, "permissions", body.Append[api.FoundPermission], entries)
}
