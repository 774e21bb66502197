"""ExpressNet: trains, proves and promotes facial-expression recognition models."""
