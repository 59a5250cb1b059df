"""The reference's cases as tables, and a runner that holds the emulator to them over a real socket.

A case is named after the row it restates: ``gateway 10.64`` is row 64 of section 10 of the gateway page,
``store 11.44`` scenario 44 of section 11 of the store page. ``test_coverage`` sees to it that no row is missing.
"""
