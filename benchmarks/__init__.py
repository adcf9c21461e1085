"""What Scanmesh claims, as commands: `books` (make verify), `chaos` and `bench`; they know of a mesh what anybody can.

They reach it through the edge, as devices and operators do, and learn where that is from mesh.json. PostgreSQL,
JetStream and the table of processes are read to compare, never written to; but for `scale`, which fills the PostgreSQL
of meshes of its own with what nobody would wait for to come through the edge.
"""
