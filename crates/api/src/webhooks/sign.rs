//! Signatures of messages, as Standard Webhooks has them: HMAC-SHA256 over id, time and body.

use data_encoding::BASE64;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// `webhook-signature`: one for each secret, separated by spaces.
pub(super) fn signatures(secrets: &[String], id: &str, seconds: i64, body: &str) -> String {
    let sign = |secret: &String| {
        let key = secret.strip_prefix("whsec_").unwrap_or(secret);
        let key = BASE64.decode(key.as_bytes()).unwrap_or_else(|_| key.as_bytes().to_vec());
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of HMAC may have any length");
        for part in [id, ".", &seconds.to_string(), ".", body] {
            mac.update(part.as_bytes());
        }
        format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
    };
    secrets.iter().map(sign).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_is_signed_as_there() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
        let body = r#"{"test": 2432232314}"#;
        let signed =
            signatures(std::slice::from_ref(&secret), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = signatures(&[secret.clone(), secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(both, format!("{signed} {signed}"));
    }
}
