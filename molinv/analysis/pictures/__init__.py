"""What a model of pictures has of its group's symmetry: `molinv analyse RUN`.

poses.py     the test pictures moved along each generator, and what the model says of them there
changes.py   how far that is from what it said before: of label maps in pixels and mIoU, else as
             the standard deviation over the poses
produce.py   the report of a run
"""
