"""Training of the embedded segmenter on phantoms: data, networks, training, export, and its score on unseen ones."""
