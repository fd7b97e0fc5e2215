// Package examples holds four access models of real products, each a folder with
// schema.pemba, tuples.txt and tests.pemba. pemba dev starts with one of them.
package examples

import "embed"

// Files holds the examples, by folder.
//
//go:embed */*.pemba */*.txt
var Files embed.FS

// Names lists the examples.
var Names = []string{"ptolemy", "cloud-observability", "observe", "portkey"}
