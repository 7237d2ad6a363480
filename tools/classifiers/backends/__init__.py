"""Ways to run a classifier, one file each: a function `load` from its configuration and its folder."""
