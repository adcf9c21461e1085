"""Load on a running mesh, from outside: what its commands measure is what the documents quote."""
