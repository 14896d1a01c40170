"""The study of chapter 14: whom to believe, of those who suggest a learning rate.

``python -m study``, or ``make study``, makes ``chapters/data/finders.json`` again.
"""
