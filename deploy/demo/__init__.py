"""The demo company: made through the edge like any other, and what `make run` shows of it.

`python -m deploy.demo.seed` makes it, `python -m deploy.demo` sends it scans and tells what became of them. Both know
the mesh only by its API, as a customer does.
"""
