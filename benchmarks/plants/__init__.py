"""Faults and wrong implementations, put into the processes of a mesh from outside."""
