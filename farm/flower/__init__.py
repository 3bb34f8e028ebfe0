"""What Flower shows: an attempt on a job is a row. It looks on; nothing of a farm waits for it or knows that it is there."""
