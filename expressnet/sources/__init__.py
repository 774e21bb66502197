"""Where data sets come from: folders, files, archives, buckets."""
