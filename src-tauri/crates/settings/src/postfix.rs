//! Text formats of Postfix, read and written so that admins can bring their tables along and take them away again.

pub mod access;
pub mod lines;
