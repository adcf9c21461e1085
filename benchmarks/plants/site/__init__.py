"""On PYTHONPATH of a process that something is planted into: Python imports `sitecustomize` from here first of all."""
