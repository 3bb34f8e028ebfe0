"""MikuMikuDance's files, PMX and PMD: readers and writers."""
