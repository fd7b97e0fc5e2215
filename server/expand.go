package server

import (
	"fmt"
	"net/http"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/server/api"
)

// maxTreeDepth is how deep an expanded tree may nest: JSON readers give up on
// what is nested deeper.
const maxTreeDepth = 2000

// expand answers POST …/expand: the userset tree of object#permission.
func (s *Server) expand(w http.ResponseWriter, r *http.Request) error {
	var request api.ExpandRequest
	if _, err := s.decode(w, r, &request); err != nil {
		return err
	}
	with, faults := s.bring(request.Brought)
	o, faults := object("/object", request.Object, faults)
	permission, faults := name("/permission", request.Permission, false, faults)
	if request.Depth < 0 {
		faults = append(faults, api.Fault{Code: api.InvalidValue, Pointer: "/depth", Message: "a depth is not negative", Expected: "levels of usersets to open; 0 for all"})
	}
	if err := faults.Err(); err != nil {
		return err
	}
	snap, view, err := s.openView(r.Context(), r.PathValue("store"), request.Moment, with)
	if err != nil {
		return err
	}
	defer snap.Close()
	tree, err := engine.Expand(&snap.pace, view, o, permission, engine.ExpandOptions{Depth: request.Depth, Nodes: s.limits.TreeNodes})
	if err != nil {
		return places{objectType: o.Type, object: "/object", permission: permission}.of(err)
	}
	wire, err := wireTree(tree, 0)
	if err != nil {
		return err
	}
	snap.pace.leave()
	return respond(w, http.StatusOK, api.ExpandResponse{Tree: wire, Evaluated: snap.evaluated})
}

// wireTree gives a tree its wire form.
func wireTree(tree *engine.Tree, depth int) (*api.Userset, error) {
	if depth > maxTreeDepth {
		return nil, fmt.Errorf("%w: the tree is nested deeper than %d; ask for less depth", engine.ErrBudget, maxTreeDepth)
	}
	out := &api.Userset{Kind: string(tree.Kind), Relation: tree.Relation, Back: tree.Back, Cut: tree.Cut}
	if tree.Object.Type != "" {
		out.Object = tree.Object.String()
	}
	if tree.Via != nil {
		via := wireLeaf(*tree.Via)
		out.Via = &via
	}
	for _, actor := range tree.Actors {
		out.Actors = append(out.Actors, api.Actor{Type: actor.Type, Owner: actor.Owner})
	}
	for _, leaf := range tree.Leaves {
		out.Subjects = append(out.Subjects, wireLeaf(leaf))
	}
	for _, child := range tree.Children {
		below, err := wireTree(child, depth+1)
		if err != nil {
			return nil, err
		}
		out.Children = append(out.Children, below)
	}
	return out, nil
}

func wireLeaf(leaf engine.Leaf) api.Leaf {
	return api.Leaf{Tuple: api.FromTuple(leaf.Tuple), Result: result(leaf.Answer.Outcome), Missing: leaf.Answer.Missing}
}
