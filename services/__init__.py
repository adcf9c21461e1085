"""The Scanmesh services: one package each, and the chassis they stand on."""
