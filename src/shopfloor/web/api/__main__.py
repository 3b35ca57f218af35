"""`python -m shopfloor.web.api <folder>` writes the document and its page for people."""

import json
import sys
from pathlib import Path

from shopfloor.web.api.document import document
from shopfloor.web.api.reference import page

folder = Path(sys.argv[1])
(folder / "openapi.json").write_text(json.dumps(document(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
(folder / "api.md").write_text(page(), encoding="utf-8")
