"""Bulk actions where they meet the database: what a preview freezes, and schedules that make them by themselves."""
