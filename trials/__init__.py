"""The trials: every verdict about training, tried where its sentence does not look.

``python -m trials`` runs them all and writes ``trials/outcomes.json``; ``--check`` runs them and fails where an outcome
is no longer the stored one. Each module ``trials/sNN_….py`` holds the trials of the statements in its name.
"""
