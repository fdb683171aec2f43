//! Tokens that let a caller call one service for a while, or a client in a browser register and call other clients: signed,
//! not stored.
//!
//! A token is a JSON Web Token (RFC 7519) in compact form: header, claims and signature in base64url, two dots between them.
//! The signature is HMAC-SHA256 with a key that the installation makes for itself. Only the very header that we write is
//! accepted, so no token can choose another algorithm.

use crate::{
    Store, StoreError,
    database::{execute, random_bytes, read, within},
    keys::mac,
    reservations::guest_links::is_code,
};
use data_encoding::BASE64URL_NOPAD;
use hmac::Mac;
use plenary_model::{AccountId, CallToken, ClientToken, Timestamp, Token};
use serde::{Deserialize, Serialize};

const KEY_NAME: &str = "call_tokens";
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
/// A token of ours is far shorter; what is longer is not looked at.
const TOKEN_BYTES_MAX: usize = 4096;

/// The claims (RFC 7519, section 4): `sub` is the service or the client, the times are seconds since the epoch.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    /// `call` or `client`: what `sub` names.
    r#use: Use,
    sub: String,
    account: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    incoming: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call_client: Option<String>,
    exp: i64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Use {
    Call,
    Client,
}

impl Store {
    /// Makes a token for calls to `service`, as it is dialled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn make_call_token(
        &self,
        account: AccountId,
        service: &str,
        expires: Timestamp,
    ) -> Result<String, StoreError> {
        let key = self.secret(KEY_NAME).await?;
        let claims = Claims {
            r#use: Use::Call,
            sub: service.to_owned(),
            account: account.0,
            incoming: false,
            call_client: None,
            exp: expires.0.div_euclid(1000),
        };
        Ok(sign(&key, &claims))
    }

    /// Makes a token for a client in a browser.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn make_client_token(&self, token: &ClientToken) -> Result<String, StoreError> {
        let key = self.secret(KEY_NAME).await?;
        let claims = Claims {
            r#use: Use::Client,
            sub: token.client.clone(),
            account: token.account.0,
            incoming: token.incoming,
            call_client: token.call_client.clone(),
            exp: token.expires.0.div_euclid(1000),
        };
        Ok(sign(&key, &claims))
    }

    /// What a token for calls says, if it is one of ours and has not ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check_call_token(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<CallToken>, StoreError> {
        Ok(match self.check_token(token, now).await? {
            Token::Call(call) => Some(call),
            Token::Client(_) | Token::Guest(_) | Token::Expired | Token::Unknown => None,
        })
    }

    /// What a token says, or the code of a guest's link.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check_token(&self, token: &str, now: Timestamp) -> Result<Token, StoreError> {
        if is_code(token) {
            return self.check_guest_code(token, now).await;
        }
        let key = self.secret(KEY_NAME).await?;
        Ok(check(&key, token, now).unwrap_or(Token::Unknown))
    }

    /// A key of the installation, made when it is first needed.
    pub(crate) async fn secret(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let doing = "reading a key of the installation";
        let known: Option<Vec<u8>> =
            read!(self.base, doing, |on| sqlx::query_scalar("SELECT value FROM secrets WHERE name = $1")
                .bind(name)
                .fetch_optional(on))?;
        if let Some(known) = known {
            return Ok(known);
        }
        let mut transaction = self.write(doing).await?;
        execute!(
            transaction,
            doing,
            sqlx::query("INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
                .bind(name)
                .bind(&random_bytes::<32>()[..])
        )?;
        let key: Vec<u8> = within!(transaction, doing, |on| sqlx::query_scalar(
            "SELECT value FROM secrets WHERE name = $1"
        )
        .bind(name)
        .fetch_one(on))?;
        transaction.commit(doing).await?;
        Ok(key)
    }
}

fn sign(key: &[u8], claims: &Claims) -> String {
    let claims = serde_json::to_vec(claims).expect("plain data becomes JSON");
    let said = format!("{}.{}", BASE64URL_NOPAD.encode(HEADER.as_bytes()), BASE64URL_NOPAD.encode(&claims));
    let signature = BASE64URL_NOPAD.encode(&mac(key, &said).finalize().into_bytes());
    format!("{said}.{signature}")
}

fn check(key: &[u8], token: &str, now: Timestamp) -> Option<Token> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (said, signature) = token.rsplit_once('.')?;
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
    // Compares in constant time.
    mac(key, said).verify_slice(&signature).ok()?;
    let (header, claims) = said.split_once('.')?;
    if BASE64URL_NOPAD.decode(header.as_bytes()).ok()? != HEADER.as_bytes() {
        return None;
    }
    let claims: Claims = serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?).ok()?;
    if now.0.div_euclid(1000) >= claims.exp {
        return Some(Token::Expired);
    }
    let account = AccountId(claims.account);
    Some(match claims.r#use {
        Use::Call => Token::Call(CallToken { account, service: claims.sub }),
        Use::Client => Token::Client(ClientToken {
            account,
            client: claims.sub,
            incoming: claims.incoming,
            call_client: claims.call_client,
            expires: Timestamp(claims.exp.saturating_mul(1000)),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"a key of the installation";

    fn claims(r#use: Use, call_client: Option<&str>) -> Claims {
        let call_client = call_client.map(str::to_owned);
        Claims { r#use, sub: "alice".into(), account: 7, incoming: true, call_client, exp: 100 }
    }

    #[test]
    fn a_token_has_three_parts_of_base64url_and_says_what_it_is_for_until_it_ends() {
        let token = sign(KEY, &claims(Use::Client, Some("bob, carol")));
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!(parts.len(), 3);
        // printf '{"alg":"HS256","typ":"JWT"}' | basenc --base64url
        assert_eq!(parts[0], "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9");
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{token}");
        let Some(Token::Client(client)) = check(KEY, &token, Timestamp(99_999)) else { panic!("{token}") };
        assert_eq!((client.account, client.client.as_str(), client.incoming), (AccountId(7), "alice", true));
        assert_eq!(client.expires, Timestamp(100_000));
        assert!(client.may_call("bob") && client.may_call("carol"));
        assert!(!client.may_call("alice") && !client.may_call("bo") && !client.may_call(""));
        assert_eq!(check(KEY, &token, Timestamp(100_000)), Some(Token::Expired));
    }

    #[test]
    fn who_may_be_called_is_any_none_or_listed() {
        let may = |list: Option<&str>| {
            let token = sign(KEY, &claims(Use::Client, list));
            let Some(Token::Client(client)) = check(KEY, &token, Timestamp(0)) else { panic!("{token}") };
            client.may_call("bob")
        };
        assert_eq!(
            [Some("*"), None, Some(""), Some("bobby"), Some("bob")].map(may),
            [true, false, false, false, true]
        );
    }

    #[test]
    fn what_was_changed_or_signed_by_others_is_none_of_ours() {
        let token = sign(KEY, &claims(Use::Call, None));
        assert!(matches!(check(KEY, &token, Timestamp(0)), Some(Token::Call(_))));
        assert_eq!(check(b"another key", &token, Timestamp(0)), None);
        // The first character of each part: in the last ones of a part some bits say nothing.
        for at in [0, token.find('.').unwrap() + 1, token.rfind('.').unwrap() + 1] {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(check(KEY, std::str::from_utf8(&changed).unwrap(), Timestamp(0)), None, "{at}");
        }
        // Signed with the right key, but under another header: none is accepted that we do not write.
        let (_, rest) = token.split_once('.').unwrap();
        let said =
            format!("{}.{}", BASE64URL_NOPAD.encode(br#"{"alg":"none"}"#), rest.split_once('.').unwrap().0);
        let signature = BASE64URL_NOPAD.encode(&mac(KEY, &said).finalize().into_bytes());
        assert_eq!(check(KEY, &format!("{said}.{signature}"), Timestamp(0)), None);
        for odd in ["", ".", "..", "a.b.c", "a.b.c.d", &"x".repeat(100_000)] {
            assert_eq!(check(KEY, odd, Timestamp(0)), None);
        }
    }
}
