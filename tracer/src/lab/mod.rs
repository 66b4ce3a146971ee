//! The network in namespaces that fails exactly as affected nodes do; used by the demo and the tests.
