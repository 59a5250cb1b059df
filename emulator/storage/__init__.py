"""Layer 3: keeps bytes and rows. The only folder that touches disk or database; knows nothing of HTTP."""
