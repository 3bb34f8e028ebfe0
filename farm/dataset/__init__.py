"""What comes out of the farm: manifests, shards, pose tables, contact sheets and exports."""
