"""`make chaos`: devices send while parts of the mesh are killed, frozen and restarted; then the books must agree."""
