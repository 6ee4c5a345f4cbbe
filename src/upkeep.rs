//! `platen journal` and `platen store`: a look into what a stopped manager left on disk.
