"""The parts of the page, one module each: its figures stand there as they are, and no script is needed to read them.

Each part has a function `section` that returns it, or None where there is nothing to show. They build on `tables`,
`charts`, `links` and `figures`, and know nothing of each other.
"""
