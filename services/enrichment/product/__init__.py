"""The kind `barcode`: what a barcode says about a product, from its digits alone.

The shape that every kind follows: `parse` turns what was scanned into the domain's value, by pure rules in modules of
their own; `render` writes that value as the contract's message. Nothing in here knows a store, a bus or the time.
"""
