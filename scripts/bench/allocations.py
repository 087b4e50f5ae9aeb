"""How many blocks a program allocated, as the agent counted them."""

from tests.support import snapshots


def newest(folder):
    """The last snapshot written there, or None."""
    return max(folder.glob('*.pb.gz'), default=None,
               key=lambda path: path.stat().st_mtime)


def allocated(bench, setup):
    """{'allocations': ...} after a run that was tracked exactly."""
    path = newest(bench.folder) if setup == 'exact' else None
    if not path:
        return {}
    return {'allocations': snapshots.load(path).total('heap').alloc_objects}
