"""How much of its group's symmetry a model of pictures has: `molinv analyse RUN`.

poses.py     the test pictures moved along each generator, and the model's outputs for them
changes.py   how far these are from the outputs for the pictures as stored
produce.py   the report of a run
"""
