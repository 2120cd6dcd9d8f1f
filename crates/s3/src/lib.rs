//! Speaks HTTP to stores of objects that know S3's API: the few requests that whole files need.
//!
//! Each request is signed in its headers (AWS Signature Version 4) together with the SHA-256 of its body, so
//! that a store refuses what was changed on its way. A request that fails for the moment is sent again until
//! the bucket's patience is over: each of them can be repeated.
//!
//! The library reads no environment variable, prints nothing and ends no process.

mod bucket;
mod error;
mod exchange;
mod multipart;
mod objects;
mod pages;
mod signature;

pub use bucket::{Bucket, Credentials, Settings};
pub use error::{Error, Trouble};
pub use multipart::Upload;
pub use objects::Object;
