//! Tests of the whole: command line, golden traces, lab, kernel matrix.
