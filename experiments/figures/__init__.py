"""The figures of experiments, as SVG and PNG: the same numbers give the same bytes."""
