"""A device's side of the contract: what it sends, what an answer means, and what it then has to do."""
