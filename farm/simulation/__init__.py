"""What a farm on a cluster would do: arrivals, cold starts, spot losses and a policy, event by event, under a seed."""
