"""What training by several processes costs, and when it pays: ``make bench-mpi``.

``cases`` says which networks, batches and processes; ``links`` joins network namespaces by a link
of limited rate; ``launch`` starts the processes, each of which runs ``process``. ``model`` fits
what a batch costs to the times, and says what it would cost on other machines. ``page`` and
``plots`` make the measured part of docs/inside/scaling.md.
"""
