"""Values that several aggregates share: money, aging buckets, business time, ways of contact, codes."""
