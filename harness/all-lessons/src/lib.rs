//! Nothing. Cargo, asked for a lesson and this package, builds what the
//! lesson depends on with the features that any lesson wants, so that all
//! share one tokio; asked for the lesson alone, with its own.
