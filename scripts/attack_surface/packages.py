"""Corpora that are fetched and not committed: their licences are their own, and they are large."""

import shutil
import subprocess
import tarfile
from pathlib import Path

from premises import WORK


def from_npm(name: str, version: str) -> Path | None:
    """The unpacked package; None where npm or its registry is not to be had."""
    place = WORK / "npm" / f"{name.replace('@', '').replace('/', '-')}-{version}"
    if place.is_dir():
        return place / "package"
    if shutil.which("npm") is None:
        return None
    store = WORK / "npm"
    store.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            ["npm", "pack", "--silent", f"{name}@{version}"], cwd=store, capture_output=True, text=True, timeout=180,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        return None
    archive = store / done.stdout.strip().splitlines()[-1]
    staged = place.with_suffix(".new")
    with tarfile.open(archive) as tar:
        tar.extractall(staged, filter="data")
    staged.rename(place)
    return place / "package"
