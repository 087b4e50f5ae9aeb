"""A copy of what `make install` installs, for users who may not look into the
checkout, as everybody but root where it lies in /root."""

import shutil

from tests.support.servers import AGENT, BUILD, ROOT


def copy_installed(directory):
    """Copies into a folder as into a PREFIX: (leakagent, libleakagent.so)."""
    copies = {}
    for source, folder in ((ROOT / 'scripts' / 'leakagent', 'bin'),
                           (AGENT, 'lib'),
                           (BUILD / 'leakagent-control', 'libexec/leakagent')):
        place = directory / folder
        place.mkdir(parents=True, exist_ok=True)
        copies[source.name] = shutil.copy(source, place)
    return copies['leakagent'], copies['libleakagent.so']
