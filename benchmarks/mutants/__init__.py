"""Services that break one rule each: whoever checks the books must be able to tell them from the real ones.

A mutant is a few functions that are called instead of a service's own; `plants` puts them there, from outside.
"""
