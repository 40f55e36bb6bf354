"""Studies: a folder that holds one model's view of one set of images, and everything found in it."""

from nap_core.study.study import Study as Study

__all__ = ["Study"]
