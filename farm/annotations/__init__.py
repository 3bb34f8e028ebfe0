"""What people say of annotations: records of single models, verdicts on whole collections, and what comes of both."""
