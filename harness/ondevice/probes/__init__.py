"""Marks inferences of many small TFLite files for the plugin of the emulator that this board is in.

Python 3.6 and its library, numpy and LiteRT alone. The controller joins this package's modules and the runner's
``regions.py`` into one program and sends it to ``python3 -`` on stdin.
"""
