import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_one_that_falls_short_stops_none_behind_it_and_is_told(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").touch()  # a package without one would give way to the installed one
    (tmp_path / "benchmarks" / "__main__.py").write_bytes((ROOT / "benchmarks" / "__main__.py").read_bytes())
    (tmp_path / "benchmarks" / "short.py").write_text("raise SystemExit(1)")
    (tmp_path / "benchmarks" / "good.py").write_text("import sys; print('measured', sys.argv[1:], flush=True)")
    command = [sys.executable, "-m", "benchmarks", "short", "good", "--", "--quick"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["measured", "['--quick']"],
        ["short", "FELL", "SHORT", "(exit", "code", "1)"],
        ["good", "as", "it", "should", "be"],
    ]
