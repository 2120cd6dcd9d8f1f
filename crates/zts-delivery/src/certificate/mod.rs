//! Certificates of the PKI engine whose keys are made on the host.

mod current;
mod order;
mod request;
mod signed;

pub(crate) use self::{
    current::{CurrentCertificate, seconds},
    order::CertificateOrder,
    signed::Certificate,
};
pub use self::{request::CertificateRequest, signed::certificate_end};
