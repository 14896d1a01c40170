"""The trials: every verdict about training, tried where its sentence does not look.

``python -m trials`` runs them all and writes ``trials/outcomes.json``; ``--check`` runs them and fails where an outcome
is no longer the stored one. A module ``trials/sNN_….py`` or ``fNN_….py`` has the trials of the statements in its name.
"""
