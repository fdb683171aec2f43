//! Digest authentication as a server (RFC 3261, section 22; RFC 7616; RFC 8760): MD5 and SHA-256, with `qop=auth`.
//! Nonces encode when they were made and for whom, so that no state is kept for unanswered challenges. Each challenge
//! has a nonce of its own (RFC 7616, 3.3), because two telephones behind one address may ask within a millisecond.

use hmac::{Hmac, Mac};
use md5::Md5;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt, net::IpAddr, time::Duration};

/// Lifetime of a nonce: longer than a caller needs to answer a challenge, too short to be worth caching.
const NONCE_HOLDS: Duration = Duration::from_secs(120);
/// Nonces whose counts are tracked. More than can be used at 500 calls a second.
const NONCES_MAX: usize = 65_536;
const MAC_CHARS: usize = 32;
/// Credentials read of one request. A telephone sends one for each realm that challenged it; more is a flood.
const AUTHORIZATIONS_MAX: usize = 8;

/// A hash algorithm of digest authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// SHA-256 (RFC 7616).
    Sha256,
    /// MD5, for telephones that support no other.
    Md5,
}

impl Algorithm {
    /// The name in challenges.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    fn hash(self, text: &str) -> String {
        match self {
            Self::Sha256 => hex(&Sha256::digest(text.as_bytes())),
            Self::Md5 => hex(&Md5::digest(text.as_bytes())),
        }
    }

    /// What is stored instead of a password: the hash of user name, realm and password (RFC 7616, 3.4.2).
    #[must_use]
    pub fn ha1(self, user: &str, realm: &str, password: &str) -> String {
        self.hash(&format!("{user}:{realm}:{password}"))
    }
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Credentials of a request.
#[derive(Clone, PartialEq, Eq)]
pub enum Authorization {
    /// An answer to a challenge.
    Digest(Box<DigestAnswer>),
    /// A token (RFC 8898).
    Bearer(String),
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(answer) => f.debug_tuple("Digest").field(&answer.username).finish(),
            Self::Bearer(_) => f.write_str("Bearer(…)"),
        }
    }
}

/// The credentials of a request, in their order: a client sends those for every realm that challenged it (RFC 3261,
/// section 22.2), and ours need not be the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authorizations(Vec<Authorization>);

impl Authorizations {
    /// Reads header values. Unreadable ones are ignored.
    pub(crate) fn parse<'a>(values: impl Iterator<Item = std::borrow::Cow<'a, [u8]>>, method: &str) -> Self {
        let readable =
            values.filter_map(|value| Authorization::parse(&String::from_utf8_lossy(&value), method));
        Self(readable.take(AUTHORIZATIONS_MAX).collect())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Authorization> {
        self.0.iter()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tokens (RFC 8898). Whose they are is not said, so ours need not be the first.
    pub fn bearers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|one| match one {
            Authorization::Bearer(token) => Some(token.as_str()),
            Authorization::Digest(_) => None,
        })
    }

    /// There are tokens and no answers to challenges, by which passwords could be guessed.
    pub(crate) fn are_tokens(&self) -> bool {
        !self.is_empty() && self.0.iter().all(|one| matches!(one, Authorization::Bearer(_)))
    }

    /// The answer to a challenge of `realm`. If several name it, the first whose nonce `is_ours` accepts: another
    /// server may have the same realm.
    #[must_use]
    pub fn digest(&self, realm: &str, is_ours: impl Fn(&DigestAnswer) -> bool) -> Option<&DigestAnswer> {
        let of_realm = || {
            self.0.iter().filter_map(|one| match one {
                Authorization::Digest(answer) if answer.realm == realm => Some(&**answer),
                Authorization::Digest(_) | Authorization::Bearer(_) => None,
            })
        };
        of_realm().find(|answer| is_ours(answer)).or_else(|| of_realm().next())
    }
}

impl From<Authorization> for Authorizations {
    fn from(one: Authorization) -> Self {
        Self(vec![one])
    }
}

impl From<Vec<Authorization>> for Authorizations {
    fn from(all: Vec<Authorization>) -> Self {
        Self(all)
    }
}

/// An answer to a challenge, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestAnswer {
    /// The user name that it claims.
    pub username: String,
    /// The realm of the challenge.
    pub realm: String,
    algorithm: Algorithm,
    nonce: String,
    uri: String,
    response: String,
    /// cnonce and count, if there is a `qop`.
    quality: Option<(String, u32)>,
    method: String,
}

impl DigestAnswer {
    /// The hash that was used.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Authorization {
    /// Reads the value of an Authorization header.
    #[must_use]
    pub fn parse(value: &str, method: &str) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once(char::is_whitespace)?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Bearer(rest.trim().to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let parameters = parameters(rest);
        let get = |name: &str| {
            parameters
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.clone())
        };
        let algorithm =
            match get("algorithm").unwrap_or_else(|| "MD5".to_owned()).to_ascii_uppercase().as_str() {
                "MD5" => Algorithm::Md5,
                "SHA-256" => Algorithm::Sha256,
                _ => return None,
            };
        let quality = match get("qop") {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                Some((get("cnonce")?, u32::from_str_radix(&get("nc")?, 16).ok()?))
            }
            Some(_) => return None,
        };
        Some(Self::Digest(Box::new(DigestAnswer {
            username: get("username")?,
            realm: get("realm")?,
            algorithm,
            nonce: get("nonce")?,
            uri: get("uri")?,
            response: get("response")?.to_ascii_lowercase(),
            quality,
            method: method.to_owned(),
        })))
    }
}

/// `name=value` pairs between commas; a quoted value may contain commas.
fn parameters(text: &str) -> Vec<(String, String)> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some((name, behind)) = rest.split_once('=') {
        let name = name.trim_matches([',', ' ', '\t', '\r', '\n']).to_owned();
        let behind = behind.trim_start();
        let value;
        if let Some(quoted) = behind.strip_prefix('"') {
            let (mut text, mut chars, mut end) = (String::new(), quoted.char_indices(), quoted.len());
            while let Some((at, c)) = chars.next() {
                match c {
                    '"' => {
                        end = at + 1;
                        break;
                    }
                    '\\' => text.extend(chars.next().map(|(_, c)| c)),
                    c => text.push(c),
                }
            }
            (value, rest) = (text, &quoted[end..]);
        } else {
            let end = behind.find(',').unwrap_or(behind.len());
            (value, rest) = (behind[..end].trim().to_owned(), &behind[end..]);
        }
        found.push((name, value));
    }
    found
}

/// The verdict on an answer to a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The user is authenticated.
    Right,
    /// The password is right, but the nonce is too old or was used before: a new challenge helps (`stale=true`).
    Stale,
    /// The user is not authenticated.
    Wrong,
}

/// Makes challenges and verifies the answers.
pub struct Authenticator {
    realm: String,
    algorithms: Vec<Algorithm>,
    key: [u8; 32],
    /// Challenges so far, which makes their nonces unique.
    challenges: u64,
    /// The highest count used with a nonce, and when the nonce was made.
    counts: BTreeMap<String, (u32, Duration)>,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("realm", &self.realm).finish_non_exhaustive()
    }
}

impl Authenticator {
    /// `key`: random, for the nonces. `algorithms`: the best first (RFC 8760, 2.4).
    #[must_use]
    pub fn new(realm: String, algorithms: Vec<Algorithm>, key: [u8; 32]) -> Self {
        Self { realm, algorithms, key, challenges: 0, counts: BTreeMap::new() }
    }

    /// Changes the realm and the algorithms.
    pub fn set(&mut self, realm: String, algorithms: Vec<Algorithm>) {
        (self.realm, self.algorithms) = (realm, algorithms);
    }

    /// The realm of the challenges.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The values of the WWW-Authenticate headers of a challenge to `source`.
    #[must_use]
    pub fn challenge(&mut self, source: IpAddr, stale: bool, now: Duration) -> Vec<String> {
        self.challenges = self.challenges.wrapping_add(1);
        let stamp = format!("{:x}-{:x}", now.as_millis(), self.challenges);
        let nonce = format!("{stamp}.{}", self.mac(&stamp, source));
        let stale = if stale { ",stale=true" } else { "" };
        let challenge = |algorithm: &Algorithm| {
            let realm = self.realm.replace(['"', '\\'], "");
            format!(
                "Digest realm=\"{realm}\",nonce=\"{nonce}\",algorithm={},qop=\"auth\"{stale}",
                algorithm.name()
            )
        };
        self.algorithms.iter().map(challenge).collect()
    }

    fn mac(&self, stamp: &str, source: IpAddr) -> String {
        let mut mac =
            <Hmac<Sha256> as Mac>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(format!("{stamp} {}", source.to_canonical()).as_bytes());
        hex(&mac.finalize().into_bytes())[..MAC_CHARS].to_owned()
    }

    /// The answer is to a challenge that went to `source`, so messages to it arrive, whether it knows the password or
    /// not.
    #[must_use]
    pub fn has_asked(&self, answer: &DigestAnswer, source: IpAddr) -> bool {
        self.made_at(&answer.nonce, source).is_some()
    }

    /// Verifies an answer. `ha1`: the stored hash of the user's password for the answer's algorithm; `None`: there is
    /// no such user, which takes the same time to find out.
    pub fn judge(
        &mut self,
        answer: &DigestAnswer,
        ha1: Option<&str>,
        source: IpAddr,
        now: Duration,
    ) -> Verdict {
        let ha2 = answer.algorithm.hash(&format!("{}:{}", answer.method, answer.uri));
        let (ha1_text, nonce) = (ha1.unwrap_or("nobody"), &answer.nonce);
        let expected = match &answer.quality {
            Some((cnonce, count)) => {
                answer.algorithm.hash(&format!("{ha1_text}:{nonce}:{count:08x}:{cnonce}:auth:{ha2}"))
            }
            // RFC 2069, as old telephones use it (RFC 3261, section 22.4, 8).
            None => answer.algorithm.hash(&format!("{ha1_text}:{nonce}:{ha2}")),
        };
        let is_right =
            bool::from(subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), answer.response.as_bytes()));
        if !is_right
            || ha1.is_none()
            || answer.realm != self.realm
            || !self.algorithms.contains(&answer.algorithm)
        {
            return Verdict::Wrong;
        }
        match self.made_at(nonce, source) {
            Some(made) if now.saturating_sub(made) <= NONCE_HOLDS => {
                if self.count(nonce, answer.quality.as_ref().map_or(1, |(_, count)| *count), made, now) {
                    Verdict::Right
                } else {
                    Verdict::Stale
                }
            }
            // From an earlier process, for another address, or old: a user who knows the password gets a new one.
            Some(_) | None => Verdict::Stale,
        }
    }

    /// When a nonce of this server was made.
    fn made_at(&self, nonce: &str, source: IpAddr) -> Option<Duration> {
        let (stamp, mac) = nonce.split_once('.')?;
        let ours = self.mac(stamp, source);
        if !bool::from(subtle::ConstantTimeEq::ct_eq(ours.as_bytes(), mac.as_bytes())) {
            return None;
        }
        let (made, _) = stamp.split_once('-')?;
        Some(Duration::from_millis(u64::from_str_radix(made, 16).ok()?))
    }

    /// A count is valid once. False if it was used before.
    fn count(&mut self, nonce: &str, count: u32, made: Duration, now: Duration) -> bool {
        if let Some((highest, _)) = self.counts.get_mut(nonce) {
            let is_new = count > *highest;
            *highest = count.max(*highest);
            return is_new;
        }
        if self.counts.len() >= NONCES_MAX {
            self.counts.retain(|_, (_, made)| now.saturating_sub(*made) <= NONCE_HOLDS);
        }
        // If all tracked nonces are in use, a new challenge is required: safe, and temporary.
        if self.counts.len() >= NONCES_MAX {
            return false;
        }
        self.counts.insert(nonce.to_owned(), (count, made));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn authenticator() -> Authenticator {
        Authenticator::new("plenary".into(), vec![Algorithm::Sha256, Algorithm::Md5], [7; 32])
    }

    fn nonce(challenges: &[String]) -> String {
        challenges[0].split_once("nonce=\"").unwrap().1.split_once('"').unwrap().0.to_owned()
    }

    fn answer(algorithm: Algorithm, nonce: &str, password: &str, count: u32) -> DigestAnswer {
        let ha1 = algorithm.ha1("alice", "plenary", password);
        let ha2 = algorithm.hash("INVITE:sip:room@example.org");
        let response = algorithm.hash(&format!("{ha1}:{nonce}:{count:08x}:c:auth:{ha2}"));
        let value = format!(
            "Digest username=\"alice\", realm=\"plenary\", nonce=\"{nonce}\", uri=\"sip:room@example.org\", response=\"{response}\", algorithm={}, cnonce=\"c\", qop=auth, nc={count:08x}",
            algorithm.name()
        );
        match Authorization::parse(&value, "INVITE") {
            Some(Authorization::Digest(answer)) => *answer,
            other => panic!("{other:?}"),
        }
    }

    /// RFC 7616, 3.9.1, with both hashes.
    #[test]
    fn answers_are_reckoned_as_in_the_rfc() {
        for (algorithm, response) in [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let ha1 = algorithm.ha1("Mufasa", "http-auth@example.org", "Circle of Life");
            let ha2 = algorithm.hash("GET:/dir/index.html");
            let ours = algorithm.hash(&format!(
                "{ha1}:7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v:00000001:f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ:auth:{ha2}"
            ));
            assert_eq!(ours, response);
        }
    }

    #[test]
    fn who_knows_the_password_is_let_in_and_nobody_else() {
        let mut judge = authenticator();
        for algorithm in [Algorithm::Sha256, Algorithm::Md5] {
            let nonce = nonce(&judge.challenge(HERE, false, Duration::ZERO));
            let ha1 = algorithm.ha1("alice", "plenary", "secret");
            let good = answer(algorithm, &nonce, "secret", 1);
            assert_eq!(judge.judge(&good, None, HERE, Duration::ZERO), Verdict::Wrong, "no such user");
            let bad = answer(algorithm, &nonce, "guess", 1);
            assert_eq!(judge.judge(&bad, Some(&ha1), HERE, Duration::ZERO), Verdict::Wrong);
            assert_eq!(judge.judge(&good, Some(&ha1), HERE, Duration::from_secs(1)), Verdict::Right);
            judge.counts.clear();
        }
    }

    #[test]
    fn an_answer_is_good_once_soon_and_from_where_it_was_asked_for() {
        let mut judge = authenticator();
        let ha1 = Algorithm::Md5.ha1("alice", "plenary", "secret");
        let nonce = nonce(&judge.challenge(HERE, false, Duration::ZERO));
        let mut of = |count, source: IpAddr, seconds| {
            let answer = answer(Algorithm::Md5, &nonce, "secret", count);
            judge.judge(&answer, Some(&ha1), source, Duration::from_secs(seconds))
        };
        assert_eq!(of(1, "192.0.2.1".parse().unwrap(), 1), Verdict::Stale, "another source's challenge");
        assert_eq!(of(1, HERE, 1), Verdict::Right);
        assert_eq!(of(1, HERE, 2), Verdict::Stale, "a replay");
        assert_eq!(of(2, HERE, 3), Verdict::Right);
        assert_eq!(of(3, HERE, 121), Verdict::Stale, "too late");
        assert!(judge.challenge(HERE, true, Duration::ZERO)[0].ends_with(",stale=true"));
    }

    /// Two telephones behind one address: each has a nonce, and each counts from 1.
    #[test]
    fn challenges_of_one_moment_to_one_address_are_apart() {
        let mut judge = authenticator();
        let ha1 = Algorithm::Md5.ha1("alice", "plenary", "secret");
        let nonces = [(); 2].map(|()| nonce(&judge.challenge(HERE, false, Duration::ZERO)));
        assert_ne!(nonces[0], nonces[1]);
        for nonce in &nonces {
            let answer = answer(Algorithm::Md5, nonce, "secret", 1);
            assert_eq!(judge.judge(&answer, Some(&ha1), HERE, Duration::ZERO), Verdict::Right);
        }
        // The part that makes them unique is authenticated as well.
        let forged = nonces[0].replacen("-1.", "-3.", 1);
        assert_ne!(forged, nonces[0]);
        let answer = answer(Algorithm::Md5, &forged, "secret", 1);
        assert_eq!(judge.judge(&answer, Some(&ha1), HERE, Duration::ZERO), Verdict::Stale);
    }

    #[test]
    fn credentials_of_our_realm_are_found_among_others() {
        let parse = |values: &[String]| {
            Authorizations::parse(values.iter().map(|value| value.as_bytes().into()), "INVITE")
        };
        let digest = |realm: &str, nonce: &str| {
            format!(
                "Digest username=\"a\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"sip:x\", response=\"0\""
            )
        };
        let all = parse(&[
            "Basic YTpi".to_owned(),
            digest("pbx.example", "n0"),
            "Bearer abc".to_owned(),
            digest("plenary", "n1"),
            digest("plenary", "n2"),
        ]);
        assert_eq!(all.iter().count(), 4, "what cannot be read is passed over");
        assert_eq!(all.bearers().collect::<Vec<_>>(), ["abc"]);
        assert!(!all.are_tokens() && !Authorizations::default().are_tokens());
        assert!(Authorizations::from(Authorization::Bearer("abc".to_owned())).are_tokens());
        let nonce =
            |is_ours: &str| all.digest("plenary", |answer| answer.nonce == is_ours).unwrap().nonce.clone();
        assert_eq!(
            (nonce("n2").as_str(), nonce("n1").as_str()),
            ("n2", "n1"),
            "an answer to our own challenge"
        );
        assert_eq!(nonce("n9"), "n1", "or the first of the realm");
        assert!(all.digest("elsewhere", |_| true).is_none());
        let many: Vec<String> = (0..50).map(|n| digest("pbx.example", &n.to_string())).collect();
        assert_eq!(parse(&many).iter().count(), AUTHORIZATIONS_MAX);
    }

    #[test]
    fn odd_headers_are_read_or_passed_over() {
        let parse = |value: &str| Authorization::parse(value, "INVITE");
        assert_eq!(parse("Bearer  abc.def "), Some(Authorization::Bearer("abc.def".into())));
        for odd in [
            "",
            "Digest",
            "Digest ",
            "Basic YTpi",
            "Digest username=\"a",
            "Digest =,=\"\\",
            "Digest qop=auth-int",
        ] {
            assert_eq!(parse(odd), None, "{odd}");
        }
        let quoted = parameters("a=\"x, \\\"y\\\"\" ,b = c,  d=\"\"");
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(quoted, [pair("a", "x, \"y\""), pair("b", "c"), pair("d", "")]);
    }
}
