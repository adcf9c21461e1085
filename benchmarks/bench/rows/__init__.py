"""How each row is measured."""
