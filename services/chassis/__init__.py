"""What every service stands on: server, errors, identity, settings, database, bus, telemetry, clients.

The chassis knows no service. What two services must spell alike lives here; what only one knows never does.
"""
