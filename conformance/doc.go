// Package conformance runs the public test suites of OpenFGA and SpiceDB, in one
// neutral form, through the importers and the HTTP surface of a server in this
// process, and judges the answers by the rules of docs/conformance.md.
//
// The cases are not part of the repository: the test runs where the environment
// variable PEMBA_CONFORMANCE names the folder that holds them, and is skipped
// elsewhere.
package conformance
