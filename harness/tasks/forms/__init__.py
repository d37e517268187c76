"""The forms in which data come. Each is one file with its keys in a task's file and its reader."""
