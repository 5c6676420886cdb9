"""The same training steps in several libraries, one file each; see ../compare.py."""
