package dataset_test

import (
	"testing"

	"github.com/pemba-authz/pemba/bench/dataset"
)

func TestShapeAnswers(t *testing.T) { agree(t, dataset.NewShapes(10_000), 100) }
