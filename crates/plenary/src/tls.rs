//! Certificates: read from PEM files, looked at again on SIGHUP and every minute, so that a certificate
//! renewed by an ACME client is used without a restart. Connections that are up keep what they have.

use anyhow::{Context, anyhow, bail};
use plenary_media::DtlsIdentity;
use plenary_sip::TlsSettings;
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, SystemTime},
};
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tracing::{info, warn};

/// The certificate of the service, and whom it trusts.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    current: Option<Arc<Current>>,
    client: Arc<ClientConfig>,
}

/// The certificate in use and the files it comes from.
#[derive(Debug)]
struct Current {
    certificate: PathBuf,
    key: PathBuf,
    in_use: RwLock<Arc<CertifiedKey>>,
    changed_at: Mutex<Stamp>,
}

type Stamp = (Option<SystemTime>, Option<SystemTime>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.in_use.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Tls {
    /// Reads what is configured. Without files there is no server side; the client side trusts what the system trusts,
    /// and `authorities` beside it.
    pub(crate) fn load(
        certificate: Option<&Path>,
        key: Option<&Path>,
        authorities: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let current = match (certificate, key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(Arc::new(Current {
                in_use: RwLock::new(Arc::new(read(certificate, key)?)),
                changed_at: Mutex::new(stamp(certificate, key)),
                certificate: certificate.to_owned(),
                key: key.to_owned(),
            })),
            _ => bail!("[tls] certificate and key belong together: name both files or neither"),
        };
        Ok(Self { current, client: Arc::new(client(authorities)?) })
    }

    /// When the certificate in use, or the first of those between it and its authority, expires; `None`: there is none.
    pub(crate) fn expires_at(&self) -> Option<SystemTime> {
        let in_use = self.current.as_ref()?.in_use.read().unwrap_or_else(PoisonError::into_inner).clone();
        in_use.cert.iter().filter_map(|certificate| expires_at(certificate)).min()
    }

    /// The server side; `None`: no certificate is configured.
    pub(crate) fn server(&self) -> Option<Arc<ServerConfig>> {
        let resolver = self.current.clone()?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .expect("the provider has what both versions need")
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        Some(Arc::new(config))
    }

    /// The client side.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        self.client.clone()
    }

    pub(crate) fn sip(&self) -> TlsSettings {
        TlsSettings { server: self.server(), client: Some(self.client.clone()) }
    }

    /// Takes the certificate anew from its files. One that cannot be used is logged, and the old one stays.
    pub(crate) fn reload(&self) {
        let Some(current) = &self.current else { return };
        match read(&current.certificate, &current.key) {
            Ok(read) => {
                *current.in_use.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
                *current.changed_at.lock().unwrap_or_else(PoisonError::into_inner) =
                    stamp(&current.certificate, &current.key);
                info!(certificate = %current.certificate.display(), "certificate read");
            }
            Err(error) => warn!("{error:#}. The certificate in use stays"),
        }
    }

    /// The same, if the files have changed.
    pub(crate) fn reload_if_changed(&self) {
        let Some(current) = &self.current else { return };
        let now = stamp(&current.certificate, &current.key);
        let has_changed = {
            let mut last = current.changed_at.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *last, now) != now
        };
        if has_changed {
            self.reload();
        }
    }
}

fn expires_at(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let seconds = certificate.validity().not_after.timestamp();
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn stamp(certificate: &Path, key: &Path) -> Stamp {
    let modified = |path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    (modified(certificate), modified(key))
}

fn read(certificate: &Path, key: &Path) -> anyhow::Result<CertifiedKey> {
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| anyhow!("the key file {} holds no private key in PEM: {error}", key.display()))?;
    CertifiedKey::from_der(chain, private, &provider()).map_err(|error| {
        anyhow!(
            "the certificate {} and the key {} cannot be used together: {error}",
            certificate.display(),
            key.display()
        )
    })
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| anyhow!("the certificate file {} cannot be read: {error}", path.display()))?;
    if chain.is_empty() {
        bail!("the certificate file {} holds no certificate in PEM", path.display());
    }
    Ok(chain)
}

fn client(authorities: Option<&Path>) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if let Some(path) = authorities {
        for certificate in certificates(path)? {
            roots
                .add(certificate)
                .with_context(|| format!("a certificate of {} is not one of an authority", path.display()))?;
        }
    }
    Ok(ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .expect("the provider has what both versions need")
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// A client side for asking the own service whether it answers: it takes any certificate, and nothing secret goes over it.
pub(crate) fn any_certificate() -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .expect("the provider has what both versions need")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider())))
        .with_no_client_auth()
}

/// Who has the key of a certificate is who it is.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Makes a self-signed certificate, for trials and closed networks.
pub(crate) fn make_self_signed(names: Vec<String>, folder: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let made = rcgen::generate_simple_self_signed(names)
        .map_err(|error| anyhow!("a certificate cannot be made for these names: {error}"))?;
    fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let write = |path: &Path, text: &str, mode: u32| -> io::Result<()> {
        use std::os::unix::fs::OpenOptionsExt;
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        io::Write::write_all(&mut file, text.as_bytes())
    };
    let context = |path: &Path| format!("{} cannot be written (it is never overwritten)", path.display());
    write(&key, &made.signing_key.serialize_pem(), 0o600).with_context(|| context(&key))?;
    write(&certificate, &made.cert.pem(), 0o644).with_context(|| context(&certificate))?;
    Ok((certificate, key))
}

/// The certificate for DTLS-SRTP: made at each start, for each session description has its fingerprint.
pub(crate) fn make_dtls_identity() -> anyhow::Result<DtlsIdentity> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
        .context("a key for DTLS cannot be made")?;
    let certificate = rcgen::CertificateParams::new(vec!["plenary".to_owned()])
        .and_then(|params| params.self_signed(&key))
        .context("a certificate for DTLS cannot be made")?;
    Ok(DtlsIdentity { certificate: certificate.der().to_vec(), key: key.serialize_der() })
}

/// SHA-256 of the certificate, as session descriptions have it (RFC 8122, 5).
pub(crate) fn fingerprint(identity: &DtlsIdentity) -> [u8; 32] {
    Sha256::digest(&identity.certificate).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewed_certificate_is_taken_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) =
            make_self_signed(vec!["one.example".into()], &folder.path().join("a")).unwrap();
        let (second, second_key) =
            make_self_signed(vec!["two.example".into()], &folder.path().join("b")).unwrap();
        let tls = Tls::load(Some(&certificate), Some(&key), None).unwrap();
        let current = tls.current.clone().unwrap();
        let in_use = || current.in_use.read().unwrap().cert[0].clone();
        // By rcgen's default, so that nobody has to renew it.
        assert!(tls.expires_at().unwrap() > SystemTime::now() + Duration::from_secs(365 * 86_400));
        let first = in_use();
        fs::write(&certificate, "garbage").unwrap();
        tls.reload();
        assert_eq!(in_use(), first);
        fs::copy(&second, &certificate).unwrap();
        // A certificate whose key is not there yet, as in the middle of a renewal.
        tls.reload();
        assert_eq!(in_use(), first);
        fs::copy(&second_key, &key).unwrap();
        tls.reload_if_changed();
        assert_ne!(in_use(), first);
        assert_eq!(in_use(), certificates(&second).unwrap()[0]);
    }

    #[test]
    fn what_is_wrong_with_the_files_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = make_self_signed(vec!["a.example".into()], folder.path()).unwrap();
        let error = |certificate: Option<&Path>, key: Option<&Path>| {
            format!("{:#}", Tls::load(certificate, key, None).unwrap_err())
        };
        assert!(error(Some(&certificate), None).contains("belong together"));
        assert!(error(Some(&key), Some(&key)).contains("holds no certificate"));
        assert!(error(Some(&certificate), Some(&certificate)).contains("holds no private key"));
        assert!(make_self_signed(vec!["a.example".into()], folder.path()).is_err());
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
