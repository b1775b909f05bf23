"""How good predictions of real tables are, and what they cost: ``make bench-tabular``.

``sets`` says which tables, ``rivals`` which models; ``scores`` has what is computed of their
predictions and ``summary`` what of many scores. ``results`` keeps the outcomes in a file, from
which ``page`` and ``plots`` make the measured part of docs/guide/tabular.md.
"""
