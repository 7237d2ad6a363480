"""Reading scans safely: NIfTI, DICOM series and zips of either, with limits checked before allocation."""

from tools.readers.limits import ReadLimits
from tools.readers.scan import list_series, read_scan

__all__ = ["ReadLimits", "list_series", "read_scan"]
