"""The budgets of the design, measured: `make bench`.

Each run has a mesh of its own, companies of its own with limits that are on, and real keys. Load is offered in an open
loop: calls begin when they are due, whether or not earlier ones are answered. A row whose load the mesh did not reach
has no value; a row that is short of its budget says so and fails nothing: it is a report.
"""
