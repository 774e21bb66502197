"""The ExpressNet-MoE network: layers, parts, presets. Keras only; no paths, no files."""
