"""Layer 2: does what an operation says. Order of effects, transactions and races; knows nothing of HTTP."""
