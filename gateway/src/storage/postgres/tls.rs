//! Encryption of the connections to `PostgreSQL`, by the names of libpq's `sslmode`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::error::Error;
use crate::config::Tls;

/// Whether connections are encrypted, and whose certificate is trusted.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// What is asked of the server.
    pub mode: Tls,
    /// Authorities as PEM; `None`: the machine's own.
    pub ca_file: Option<PathBuf>,
    /// The gateway's own certificate as PEM.
    pub cert_file: Option<PathBuf>,
    /// Its key as PEM.
    pub key_file: Option<PathBuf>,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self { mode: Tls::Prefer, ca_file: None, cert_file: None, key_file: None }
    }
}

impl TlsOptions {
    /// What is to be set for the URL; `None` where its own `sslmode` counts.
    pub(super) fn ssl_mode(&self, config: &Config) -> Option<SslMode> {
        // A server does not encrypt what goes through a socket of files.
        if config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_))) {
            return Some(SslMode::Disable);
        }
        match self.mode {
            Tls::Disable => Some(SslMode::Disable),
            Tls::Prefer => None,
            Tls::Require | Tls::VerifyCa | Tls::VerifyFull => Some(SslMode::Require),
        }
    }

    /// What makes encrypted connections, with the files read.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect, Error> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Other(format!("TLS: {error}")))?;
        let verified = matches!(self.mode, Tls::VerifyCa | Tls::VerifyFull);
        if self.ca_file.is_some() && !verified {
            return Err(fault("ca_file is for storage.tls = \"verify-ca\" or \"verify-full\""));
        }
        let builder = match self.mode {
            Tls::VerifyFull => builder.with_root_certificates(self.roots()?),
            _ => {
                let roots = if verified { Some(self.roots()?) } else { None };
                let verifier = AnyName { roots, provider };
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
        };
        let config = match (&self.cert_file, &self.key_file) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let key_file = key;
                let key =
                    PrivateKeyDer::from_pem_file(key).map_err(|error| in_file(key, &error))?;
                builder
                    .with_client_auth_cert(certificates(certificate)?, key)
                    .map_err(|error| in_file(key_file, &error))?
            }
            _ => return Err(fault("cert_file and key_file need each other")),
        };
        Ok(MakeRustlsConnect::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        let Some(path) = &self.ca_file else {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(fault("this machine has no certificates of authorities: set ca_file"));
            }
            return Ok(roots);
        };
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| in_file(path, &error))?;
        }
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| in_file(path, &error))?;
    if certificates.is_empty() {
        return Err(in_file(path, &"it holds no certificate"));
    }
    Ok(certificates)
}

fn fault(what: &str) -> Error {
    Error::Other(format!("[storage]: {what}"))
}

fn in_file(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::Other(format!("[storage]: {}: {why}", path.display()))
}

/// Trusts a certificate whatever name it is for, and where there are no authorities, any.
#[derive(Debug)]
struct AnyName {
    roots: Option<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let algorithms = self.provider.signature_verification_algorithms.all;
            rustls::client::verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(certificate)?,
                roots,
                intermediates,
                now,
                algorithms,
            )?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
