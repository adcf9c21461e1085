"""Runs that last: a backlog that is worked off, and a soak in which nothing may grow."""
