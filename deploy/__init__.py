"""How Scanmesh is run: `local` on one machine from wheels, later files for clusters."""
