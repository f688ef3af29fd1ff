"""The report of a session: one page of HTML that holds all it needs, and opens from disk.

`model` gathers what the page shows: the figures, all of them from `deia.profile_session`, what to fix first among them;
and the events for the timeline and the table (`items`, `selection`, `lanes`). `page` writes it as HTML: `sections` what
stands there without a script, `island` the data for the scripts and styles in `assets`, `library` the charts' code.
"""
