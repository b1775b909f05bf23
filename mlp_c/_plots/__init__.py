"""Pictures of fitted models: curves of a training, weights."""
