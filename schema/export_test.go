package schema

// Prove gives the tests the prover without a source to put claims in.
var Prove = prove
