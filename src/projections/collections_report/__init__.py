"""The collections report: where every account stands now, and why."""

from projections.collections_report.projection import CollectionsReportProjection

__all__ = ["CollectionsReportProjection"]
