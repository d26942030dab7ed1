"""Information-maximising variational autoencoders: objectives, training, runs."""
