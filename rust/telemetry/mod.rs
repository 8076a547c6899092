//! Counters, histograms, the access log and their exposition.
