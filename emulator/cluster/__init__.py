"""The fake cluster around the image store: what it is called and made of, and the application types registered in it.

It runs nothing. Types are registered as the runtime's image builder does it, by files below ``Store`` in the image
store, and these files are all there is: whatever brings or takes them brings or takes the types.
"""
