"""Layer 4: the rules of the Image Store as pure values. No disk, no database, no clock, no web framework."""
