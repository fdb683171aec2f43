//! A SIP caller that speaks, listens and measures: test calls, demonstration, load.
