"""Segmentation backends: where label sets come from."""
