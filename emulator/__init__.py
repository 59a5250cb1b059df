r"""A local emulator of the Azure Service Fabric Image Store REST API.

Words used throughout, each with one meaning:

* *content path*: where a file or folder lives in the image store, e.g. ``MyApp\Code\app.exe``;
* *upload session*: a file being uploaded in chunks, named by a GUID the client chose;
* *chunk*: one PUT of some bytes of such a file; *range*: the bytes of it that have been received;
* *expected ranges*: the gaps, what a client still has to send;
* *commit*: make the complete file of a session visible at its content path;
* *mark file*: the empty ``_.dir`` that says a folder was uploaded completely;
* *staging*: bytes that are on disk but not yet content.
"""

__version__ = "0.1.0"
