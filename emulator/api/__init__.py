"""Layer 1: speaks HTTP. The only folder that knows FastAPI; what a request means is decided below."""
