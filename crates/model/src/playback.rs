//! What a program has played to a conference.

use crate::{PlayList, fields::or_default};
use serde::{Deserialize, Deserializer, de::Error};
use std::ops::RangeInclusive;
use utoipa::ToSchema;

const GAIN_DB: RangeInclusive<f32> = -40.0..=20.0;

/// Something to play to a conference.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaybackRequest {
    /// Who hears it: `all`, or the id of a participant.
    #[serde(default = "all")]
    #[schema(default = "all", example = "all")]
    pub to: String,
    /// What, in order.
    #[serde(deserialize_with = "crate::participant::play_list")]
    #[schema(inline)]
    pub play: PlayList,
    /// How much louder it is played, in dB.
    #[serde(default, deserialize_with = "gain_db")]
    #[schema(minimum = -40, maximum = 20, default = 0)]
    pub gain_db: f32,
    /// Whether it begins again until it is stopped.
    #[serde(rename = "loop", default, deserialize_with = "or_default")]
    pub repeat: bool,
}

fn all() -> String {
    "all".to_owned()
}

fn gain_db<'de, D: Deserializer<'de>>(from: D) -> Result<f32, D::Error> {
    let gain = f32::deserialize(from)?;
    match GAIN_DB.contains(&gain) {
        true => Ok(gain),
        false => Err(D::Error::custom(format!("must be {} to {}", GAIN_DB.start(), GAIN_DB.end()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_value;
    use serde_json::json;

    #[test]
    fn what_is_left_out_takes_its_default_and_what_is_wrong_is_named() {
        let request: PlaybackRequest = read_value(json!({ "play": ["tone:440/1000"] })).unwrap();
        assert_eq!(
            request,
            PlaybackRequest {
                to: "all".to_owned(),
                play: PlayList(vec!["tone:440/1000".to_owned()]),
                gain_db: 0.0,
                repeat: false,
            }
        );
        let wrong = [
            (json!({}), ""),
            (json!({ "play": ["../x.wav"] }), "/play"),
            (json!({ "play": "tone:440/1000", "gain_db": 21 }), "/gain_db"),
            (json!({ "play": "tone:440/1000", "repeat": true }), "/repeat"),
        ];
        for (body, pointer) in wrong {
            let errors = read_value::<PlaybackRequest>(body.clone()).unwrap_err();
            assert!(errors[0].pointer.starts_with(pointer), "{body}: {errors:?}");
        }
    }
}
