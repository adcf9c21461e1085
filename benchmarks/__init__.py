"""What Scanmesh claims, as commands: `books` (make verify), `chaos` and `bench`; they know of a mesh what anybody can.

They reach it through the edge, as devices and operators do, and learn where that is from mesh.json. PostgreSQL,
JetStream and the table of processes are read to compare, never written to.
"""
