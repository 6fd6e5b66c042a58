"""The JSON schema of study files, for editors that check and complete YAML.

``python -m lexiscope.config.schema docs/study.schema.json`` writes it.
"""

from __future__ import annotations

import sys
from typing import Any

from lexiscope.config.study import Study
from lexiscope.files import write_json


def study_schema() -> dict[str, Any]:
    """The schema, generated from the models that validate a study."""
    schema = Study.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Lexiscope study"
    return schema


if __name__ == "__main__":
    write_json(sys.argv[1], study_schema())
