//! Certificates whose keys are the host's: of the PKI engine, and of the SSH engine.

mod current;
mod order;
mod request;
mod signed;
mod ssh;
mod validity;

pub use self::{
    current::certificate_end,
    request::{CertificateRequest, SshCertificateRequest},
};
pub(crate) use self::{
    current::{CurrentCertificate, validity_of},
    order::CertificateOrder,
    ssh::{SshCertificate, read_public_key},
    validity::seconds,
};
