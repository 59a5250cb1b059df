"""The emulator's own API, over a real socket, as tests of client code use it."""
