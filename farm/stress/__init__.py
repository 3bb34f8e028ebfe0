"""The load tool `farm stress`: a whole farm under load, with everything real but Blender.

`fates` says how every attempt of a fake renderer ends, `characters` makes the models, `rig` runs the servers and the workers,
`worker` is what such a worker runs, `load` asks the API and takes the time, `audit` holds the outcome against the fates.
"""
