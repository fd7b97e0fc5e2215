package graph_test

import (
	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/raftstore/graph"
)

var (
	_ engine.Reader     = (*graph.View)(nil)
	_ engine.Forerunner = (*graph.View)(nil)
)
