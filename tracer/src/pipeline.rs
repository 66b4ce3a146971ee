//! The loop: source -> join -> causes -> outputs. The first file to read.
