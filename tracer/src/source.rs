//! Where events come from: the live ring buffer or a trace, the same stream either way.
