//! The copy engine against real and scripted servers.
