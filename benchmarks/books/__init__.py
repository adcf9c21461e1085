"""The books of a mesh, held against each other: what was accepted is stored, counted, enriched and billed, all of it once.

`python -m benchmarks.books` looks at the running mesh. A chaos run brings one book more: what its clients were told.
Everything that can be read at one moment is, in one snapshot of PostgreSQL; what the API says is asked afterwards.
"""
