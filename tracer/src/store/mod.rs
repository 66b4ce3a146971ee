//! The trace: the recorded file of events. Format, writer, reader.
