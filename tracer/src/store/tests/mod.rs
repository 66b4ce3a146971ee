//! Tests of the trace format as a whole.
