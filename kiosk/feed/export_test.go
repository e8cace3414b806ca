package feed

// Pull is what both handlers answer with, for tests that let time pass.
var Pull = pull
