"""Redaction: what is secret does not reach the disk, and what is written means the same."""

from tonearm.redaction.redactor import Redacted, Redactor
from tonearm.redaction.sketch import Finding

__all__ = ["Finding", "Redacted", "Redactor"]
