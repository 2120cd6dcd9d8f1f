//! A client of object stores with S3's API: the few requests that whole files need.
//!
//! Each request is signed in its headers (AWS Signature Version 4) together with the SHA-256 of its
//! body, so that a store refuses a body that was changed on its way. A request with a transient
//! failure is repeated until the retry timeout is over. All requests can be repeated.
//!
//! The library reads no environment variable, prints nothing and ends no process.

mod bucket;
mod error;
mod multipart;
mod objects;
mod pages;
mod request;
mod signature;

pub use bucket::{Bucket, Credentials, Settings};
pub use error::{Cause, Error};
pub use multipart::Upload;
pub use objects::Object;
