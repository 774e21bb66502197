"""The package fer over a folder, in an environment of its own: `python fer_peer.py FOLDER`.

Prints JSON: seconds of the loop alone, files, and in how many of them a face was found.
"""

import json
import logging
import sys
import time
from pathlib import Path

import cv2
from fer.fer import FER


def main() -> None:
    """Asks for the emotions of every photograph as the package's own README does."""
    logging.disable(logging.INFO)
    peer = FER()
    paths = sorted(Path(sys.argv[1]).rglob("*.jpg"))
    peer.detect_emotions(cv2.imread(str(paths[0])))  # the first call takes longer
    started = time.perf_counter()
    found = [bool(peer.detect_emotions(cv2.imread(str(path)))) for path in paths]
    print(json.dumps({"loop_s": time.perf_counter() - started, "num_files": len(found), "num_found": sum(found)}))


if __name__ == "__main__":
    main()
