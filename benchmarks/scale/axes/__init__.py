"""How each axis is measured."""
