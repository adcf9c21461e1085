"""The door: takes scans from devices and answers *accepted* only when they are on disk in JetStream.

Owns the path from a request to the stream SCANS. Publishes `scan.accepted.v1.<lane>`. Asks nothing downstream.
"""
