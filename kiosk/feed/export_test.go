package feed

// Pull exports pull, which both handlers call, for tests with virtual time.
var Pull = pull
