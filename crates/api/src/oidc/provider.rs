//! What is known of the provider, and what is asked of it. Signatures, issuer, audience, expiry and nonce of ID tokens are
//! checked by the crate `openidconnect`; which algorithms count, `azp`, and when keys are asked for again is decided here.

use super::{
    Pending,
    claims::{self, Claims},
    client::{AskError, Client},
    settings::OidcSettings,
};
use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, AuthType, AuthenticationFlow, AuthorizationCode,
    ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, DiscoveryError, EmptyExtraTokenFields,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenClaims, IdTokenFields, IssuerUrl, JsonWebKeySet,
    Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, StandardErrorResponse, StandardTokenResponse,
    TokenResponse, UserInfoClaims, UserInfoError,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreClaimName, CoreClaimType, CoreClientAuthMethod,
        CoreErrorResponseType, CoreGenderClaim, CoreGrantType, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm,
        CoreResponseMode, CoreResponseType, CoreRevocableToken, CoreRevocationErrorResponse,
        CoreSubjectIdentifierType, CoreTokenIntrospectionResponse, CoreTokenType,
    },
    url::Url,
};
use plenary_store::ProviderPerson;
use serde::{Deserialize, Serialize};
use std::{
    error::Error,
    fmt::Write,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::Mutex, time::Instant};
use tracing::warn;

/// How long what the provider says of itself counts.
const KEPT_FOR: Duration = Duration::from_secs(3600);
/// How long it goes on counting while the provider cannot be asked again.
const KEPT_AT_MOST: Duration = Duration::from_secs(24 * 3600);
/// A provider that could not be asked is not asked again before.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(3);
/// Keys are asked for again, because a token names another one, this often at the most.
const KEYS_RENEWED_EVERY: Duration = Duration::from_secs(60);
/// How far the provider's clock may be behind ours, or ours behind its.
const CLOCKS_DIFFER_S: i64 = 60;
/// Characters of a subject at the most (OpenID Connect Core, section 2).
const SUBJECT_CHARS_MAX: usize = 255;
/// Characters of what others say that the log tells.
const LOGGED_CHARS_MAX: usize = 500;

/// Signatures that count: by keys of the provider's. One by the client's secret (HS256 and the like) does not.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
];

/// What of the provider's description of itself the crate does not know.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Further {
    /// RFC 9207, section 3.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Further {}

type Metadata = ProviderMetadata<
    Further,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;
type Tokens = StandardTokenResponse<
    IdTokenFields<
        Claims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;
type Relying = openidconnect::Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;
type TokenClaims = IdTokenClaims<Claims, CoreGenderClaim>;

/// Why nobody signs in: what the page says, and what the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What stands behind `error=` in the address of the page.
    pub(crate) code: &'static str,
    /// For the operator.
    pub(crate) reason: String,
    /// The provider did not give this code: it may be guessed.
    pub(crate) is_guess: bool,
}

impl Failure {
    pub(crate) fn new(code: &'static str, reason: impl Into<String>) -> Self {
        let reason = reason.into().chars().take(LOGGED_CHARS_MAX).collect();
        Self { code, reason, is_guess: false }
    }

    /// What came cannot be relied on.
    fn invalid(reason: impl Into<String>) -> Self {
        Self::new("invalid", reason)
    }

    fn unavailable(reason: impl Into<String>) -> Self {
        Self::new("unavailable", reason)
    }
}

/// An error with its causes.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

impl From<DiscoveryError<AskError>> for Failure {
    fn from(error: DiscoveryError<AskError>) -> Self {
        Self::unavailable(told(&error))
    }
}

impl From<RequestTokenError<AskError, StandardErrorResponse<CoreErrorResponseType>>> for Failure {
    fn from(error: RequestTokenError<AskError, StandardErrorResponse<CoreErrorResponseType>>) -> Self {
        match error {
            RequestTokenError::ServerResponse(refused) => {
                let is_guess = *refused.error() == CoreErrorResponseType::InvalidGrant;
                Self {
                    is_guess,
                    ..Self::new("provider", format!("the provider refuses the code: {refused}"))
                }
            }
            RequestTokenError::Request(error) => Self::unavailable(told(&error)),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                Self::invalid(format!("the provider's answer to the code is not valid: {}", told(&error)))
            }
        }
    }
}

impl From<UserInfoError<AskError>> for Failure {
    fn from(error: UserInfoError<AskError>) -> Self {
        match error {
            UserInfoError::Request(error) => Self::unavailable(told(&error)),
            error => Self::invalid(format!("what the provider says of the person: {}", told(&error))),
        }
    }
}

impl From<ClaimsVerificationError> for Failure {
    fn from(error: ClaimsVerificationError) -> Self {
        Self::invalid(format!("the ID token is not valid: {}", told(&error)))
    }
}

/// What the provider says of itself, with its keys.
#[derive(Clone)]
struct Known {
    metadata: Arc<Metadata>,
    read_at: Instant,
    /// When keys were asked for again, because a token named another one.
    renewed_at: Option<Instant>,
}

#[derive(Default)]
struct Cache {
    known: Option<Known>,
    failed: Option<(Instant, Failure)>,
}

/// The provider.
pub(super) struct Provider {
    issuer: String,
    client: Client,
    cache: Mutex<Cache>,
}

impl Provider {
    pub(super) fn new(settings: &OidcSettings, client: Client) -> Self {
        Self { issuer: settings.issuer.clone(), client, cache: Mutex::default() }
    }

    pub(super) async fn names_itself(&self) -> Result<bool, Failure> {
        Ok(self.known().await?.additional_metadata().authorization_response_iss_parameter_supported)
    }

    pub(super) async fn begin(
        &self,
        settings: &OidcSettings,
        next: String,
        at_ms: i64,
    ) -> Result<(String, Pending), Failure> {
        let metadata = self.known().await?;
        let relying = relying(settings, &metadata)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let mut request = relying.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        for scope in settings.scopes.iter().filter(|scope| *scope != "openid") {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
        let pending = Pending {
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
            next,
            at_ms,
        };
        Ok((url.into(), pending))
    }

    pub(super) async fn redeem(
        &self,
        settings: &OidcSettings,
        code: String,
        pending: Pending,
        now_ms: i64,
    ) -> Result<ProviderPerson, Failure> {
        let metadata = self.known().await?;
        let relying_party = relying(settings, &metadata)?;
        let exchange = relying_party.exchange_code(AuthorizationCode::new(code));
        let exchange = exchange.map_err(|error| Failure::unavailable(error.to_string()))?;
        let tokens = exchange
            .set_pkce_verifier(PkceCodeVerifier::new(pending.verifier))
            .request_async(&self.client)
            .await?;
        let nonce = Nonce::new(pending.nonce);
        let claims = match verified(&tokens, &relying_party, settings, &metadata, &nonce, now_ms) {
            Err(Unverified::UnknownKey(failure)) => {
                let metadata = self.renewed(&metadata).await?.ok_or(failure)?;
                let relying_party = relying(settings, &metadata)?;
                verified(&tokens, &relying_party, settings, &metadata, &nonce, now_ms)
            }
            outcome => outcome,
        };
        let claims = claims.map_err(Unverified::into_failure)?;
        let groups = claims.additional_claims().groups(&settings.groups_claim);
        let further = if groups.is_none() || claims.email().is_none() {
            self.user_info(&relying_party, &metadata, &tokens, claims).await?
        } else {
            None
        };
        who(settings, claims, groups, further.as_ref())
    }

    /// What the ID token leaves out, many providers tell when they are asked.
    async fn user_info(
        &self,
        relying_party: &Relying,
        metadata: &Metadata,
        tokens: &Tokens,
        claims: &TokenClaims,
    ) -> Result<Option<UserInfoClaims<Claims, CoreGenderClaim>>, Failure> {
        if metadata.userinfo_endpoint().is_none() {
            return Ok(None);
        }
        let request = relying_party.user_info(tokens.access_token().clone(), Some(claims.subject().clone()));
        let request = request.map_err(|error| Failure::unavailable(error.to_string()))?;
        Ok(Some(request.request_async(&self.client).await?))
    }

    /// What the provider says of itself; asked for where that is not known, or is too old.
    async fn known(&self) -> Result<Arc<Metadata>, Failure> {
        let mut cache = self.cache.lock().await;
        if let Some(known) = cache.known.as_ref().filter(|known| known.read_at.elapsed() < KEPT_FOR) {
            return Ok(known.metadata.clone());
        }
        let failed_of_late = cache.failed.as_ref().filter(|(at, _)| at.elapsed() < ASKED_AGAIN_AFTER);
        let outcome = match failed_of_late {
            Some((_, failure)) => Err(failure.clone()),
            None => self.discover().await,
        };
        match outcome {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                let known = Known { metadata: metadata.clone(), read_at: Instant::now(), renewed_at: None };
                *cache = Cache { known: Some(known), failed: None };
                Ok(metadata)
            }
            Err(failure) => {
                if failed_of_late.is_none() {
                    cache.failed = Some((Instant::now(), failure.clone()));
                }
                let stale = cache.known.as_ref().filter(|known| known.read_at.elapsed() < KEPT_AT_MOST);
                let stale = stale.map(|known| known.metadata.clone());
                if stale.is_some() {
                    warn!(
                        issuer = self.issuer,
                        reason = failure.reason,
                        "the provider cannot be asked again"
                    );
                }
                stale.ok_or(failure)
            }
        }
    }

    async fn discover(&self) -> Result<Metadata, Failure> {
        let issuer = IssuerUrl::new(self.issuer.clone())
            .map_err(|error| Failure::unavailable(format!("issuer: {error}")))?;
        let metadata = Metadata::discover_async(issuer, &self.client).await?;
        let endpoint: &Url = metadata.authorization_endpoint().url();
        if !self.client.allows(endpoint.scheme(), endpoint.host_str().unwrap_or_default()) {
            let text = format!("people cannot be sent to {endpoint} to sign in: it has to be https");
            return Err(Failure::unavailable(text));
        }
        Ok(metadata)
    }

    /// The same with keys that were asked for again; `None`: that was a moment ago.
    async fn renewed(&self, known: &Arc<Metadata>) -> Result<Option<Arc<Metadata>>, Failure> {
        let mut cache = self.cache.lock().await;
        let Some(current) = cache.known.as_mut() else { return Ok(None) };
        // Another sign-in has renewed them meanwhile.
        if !Arc::ptr_eq(&current.metadata, known) {
            return Ok(Some(current.metadata.clone()));
        }
        if current.renewed_at.is_some_and(|at| at.elapsed() < KEYS_RENEWED_EVERY) {
            return Ok(None);
        }
        current.renewed_at = Some(Instant::now());
        let keys = JsonWebKeySet::fetch_async(known.jwks_uri(), &self.client).await?;
        current.metadata = Arc::new(Metadata::clone(known).set_jwks(keys));
        Ok(Some(current.metadata.clone()))
    }
}

/// Us, as the provider knows us.
fn relying(settings: &OidcSettings, metadata: &Metadata) -> Result<Relying, Failure> {
    let redirect = RedirectUrl::new(settings.redirect_uri.clone())
        .map_err(|error| Failure::unavailable(format!("redirect URI: {error}")))?;
    let secret = settings.client_secret.clone().map(ClientSecret::new);
    let is_public = secret.is_none();
    let client_id = ClientId::new(settings.client_id.clone());
    let relying =
        Relying::from_provider_metadata(metadata.clone(), client_id, secret).set_redirect_uri(redirect);
    // Where the provider does not say, it is the first one (OpenID Connect Discovery, section 3).
    let methods = metadata.token_endpoint_auth_methods_supported();
    let offers = |method: &CoreClientAuthMethod| methods.is_none_or(|methods| methods.contains(method));
    if is_public || offers(&CoreClientAuthMethod::ClientSecretBasic) {
        return Ok(relying.set_auth_type(AuthType::BasicAuth));
    }
    if offers(&CoreClientAuthMethod::ClientSecretPost) {
        return Ok(relying.set_auth_type(AuthType::RequestBody));
    }
    let text =
        "the provider takes a client's secret neither by client_secret_basic nor by client_secret_post";
    Err(Failure::unavailable(text))
}

/// An ID token that does not count.
enum Unverified {
    /// The key that it names is not among the provider's.
    UnknownKey(Failure),
    Invalid(Failure),
}

impl Unverified {
    fn into_failure(self) -> Failure {
        match self {
            Self::UnknownKey(failure) | Self::Invalid(failure) => failure,
        }
    }
}

impl From<ClaimsVerificationError> for Unverified {
    fn from(error: ClaimsVerificationError) -> Self {
        let is_unknown = matches!(
            error,
            ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)
        );
        if is_unknown { Self::UnknownKey(error.into()) } else { Self::Invalid(error.into()) }
    }
}

/// The claims of the ID token, if it is valid (OpenID Connect Core, section 3.1.3.7).
fn verified<'a>(
    tokens: &'a Tokens,
    relying_party: &Relying,
    settings: &OidcSettings,
    metadata: &Metadata,
    nonce: &Nonce,
    now_ms: i64,
) -> Result<&'a TokenClaims, Unverified> {
    let invalid = |text: String| Unverified::Invalid(Failure::invalid(text));
    let token = tokens.id_token().ok_or_else(|| invalid("the provider sent no ID token".to_owned()))?;
    let offered = metadata.id_token_signing_alg_values_supported();
    let algorithms = ALGORITHMS.into_iter().filter(|algorithm| offered.contains(algorithm));
    let now = |offset_s: i64| {
        let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).unwrap_or_default());
        let offset = Duration::from_secs(offset_s.unsigned_abs());
        if offset_s < 0 { at - offset } else { at + offset }
    };
    let (earlier, later) = (now(-CLOCKS_DIFFER_S), now(CLOCKS_DIFFER_S));
    let verifier = relying_party
        .id_token_verifier()
        .set_allowed_algs(algorithms)
        .set_time_fn(move || earlier.into())
        .set_issue_time_verifier_fn(move |issued| {
            let is_past = SystemTime::from(issued) <= later;
            if is_past { Ok(()) } else { Err(format!("issued at {issued}, which is to come")) }
        });
    let claims = token.claims(&verifier, nonce)?;
    if let Some(party) = claims.authorized_party().filter(|party| party.as_str() != settings.client_id) {
        return Err(invalid(format!("the ID token is for `{}` (azp)", party.as_str())));
    }
    if let Some(expected) = claims.access_token_hash() {
        let odd = |error: &dyn Error| invalid(format!("at_hash of the ID token: {error}"));
        let algorithm = token.signing_alg().map_err(|error| odd(&error))?;
        let key = token.signing_key(&verifier).map_err(|error| odd(&error))?;
        let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key);
        if actual.map_err(|error| odd(&error))? != *expected {
            return Err(invalid("at_hash of the ID token is that of another access token".to_owned()));
        }
    }
    let subject = claims.subject().as_str();
    if subject.is_empty() || subject.len() > SUBJECT_CHARS_MAX || subject.contains(char::is_control) {
        return Err(invalid(format!("the subject has to have 1 to {SUBJECT_CHARS_MAX} characters")));
    }
    Ok(claims)
}

/// Who it is, and what their groups give.
fn who(
    settings: &OidcSettings,
    claims: &TokenClaims,
    groups: Option<Vec<String>>,
    further: Option<&UserInfoClaims<Claims, CoreGenderClaim>>,
) -> Result<ProviderPerson, Failure> {
    let groups =
        groups.or_else(|| further?.additional_claims().groups(&settings.groups_claim)).unwrap_or_default();
    let (mail, is_verified) = match (claims.email(), further) {
        (None, Some(further)) => (further.email(), further.email_verified()),
        (mail, _) => (mail, claims.email_verified()),
    };
    let is_verified = is_verified.unwrap_or(settings.trusts_mail);
    let (roles, is_operator) = settings.granted(&groups);
    if roles.is_empty() && !is_operator {
        let mail = mail.map(|mail| mail.as_str());
        tracing::info!(target: "audit", subject = claims.subject().as_str(), mail, ?groups, "no group of the person has a rule");
    }
    let name = claims::name([
        claims::plain(claims.name()),
        further.and_then(|further| claims::plain(further.name())),
        claims.preferred_username().map(|name| name.as_str()),
        further.and_then(|further| further.preferred_username()).map(|name| name.as_str()),
        mail.map(|mail| mail.as_str()),
    ]);
    let locale = claims.locale().or_else(|| further?.locale());
    Ok(ProviderPerson {
        issuer: settings.issuer.clone(),
        subject: claims.subject().to_string(),
        verified_mail: mail.filter(|_| is_verified).map(|mail| mail.to_string()),
        name,
        language: claims::language(locale.map(AsRef::as_ref)),
        roles,
        is_operator,
    })
}
