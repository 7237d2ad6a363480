"""Gates of the critic, one file each."""
