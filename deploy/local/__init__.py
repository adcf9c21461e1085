"""The local mesh: Envoy, NATS, PostgreSQL and Valkey from wheels, and the services, as children of one supervisor.

`python -m deploy.local up` starts it, `down` ends it, `Mesh` does the same from Python. All of its state lies in one
home folder (`SCANMESH_HOME`), so several meshes run side by side and removing the folder removes the mesh.

A part is a command that stays, or a step that runs once to its end; `parts.Part` describes both. The supervisor starts
them in dependency order, waits until each one really answers, restarts what dies and keeps `mesh.json` true. What
`env/<part>.json` in the home holds is added to the environment of that part from its next start on.
"""
