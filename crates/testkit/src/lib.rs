//! Real OpenBao servers for the tests.
