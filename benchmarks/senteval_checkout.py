"""A copy of a checkout of SentEval that runs without a GPU, and on a current Python and NumPy."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

CHANGES = [
    (r"\.cuda\(\)", ""),
    (r"torch\.device\('cuda'\)", "torch.device('cpu')"),
    (r"torch\.cuda\.manual_seed\(.*\)", "pass"),
    (r"assert torch\.cuda\.is_available\(\).*", "pass"),
    (r"isinstance\((\w+), torch\.cuda\.FloatTensor\)", r"torch.is_tensor(\1)"),
    (r"inspect\.getargspec", "inspect.getfullargspec"),
    (r"np\.array\((\[s\.split\(\) for s in \w+\])\)", r"np.array(\1, dtype=object)"),
]
"""What keeps SentEval from running without a GPU, and on a current Python and NumPy."""


def copy_for_this_machine(checkout: Path, folder: Path) -> None:
    """Copy SentEval to ``folder`` with `CHANGES` and nothing else, and let it be imported from there."""
    if not (checkout / "senteval" / "tools" / "validation.py").is_file():
        sys.exit(f"{checkout}: this is not a checkout of SentEval")
    shutil.copytree(checkout / "senteval", folder / "senteval")
    for path in (folder / "senteval").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for pattern, replacement in CHANGES:
            text = re.sub(pattern, replacement, text)
        path.write_text(text, encoding="utf-8")
    sys.path.insert(0, str(folder))
