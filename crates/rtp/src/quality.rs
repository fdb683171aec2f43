//! The mean opinion score of a stream, by the E-model with what is known of it. Narrowband telephony is rated on its
//! own scale (ITU-T G.107, R up to 93.2), wideband on the wideband one (G.107.1, R up to 129), each relative to what
//! its listeners are used to: 4.41 is the maximum of G.711, 4.34 that of G.722. The two scales are not comparable.
//!
//! Used of the model: the maximum ratings, the effect of loss and delay, and the mapping to opinion scores. Left at
//! its defaults, at which they are part of the maximum or have no effect: echo, loudness, noise in rooms and on
//! lines, the advantage factor of mobility.

/// How a codec is affected by losses: the E-model's equipment impairment without loss, and its robustness against
/// random loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Equipment {
    /// Ie or Ie,wb, 0 (none) to 60.
    pub impairment: f32,
    /// Bpl or Bpl,wb: the higher, the less audible a loss.
    pub robustness: f32,
    /// Rated on the wideband scale.
    pub is_wideband: bool,
}

impl Equipment {
    /// G.711: Ie 0, and with concealment Bpl 25.1 for random loss (ITU-T G.113, appendix I, provisional planning values).
    pub const G711: Self = Self { impairment: 0.0, robustness: 25.1, is_wideband: false };
    /// G.722 at 64 kbit/s: Ie,wb 13 (ITU-T G.113, appendix IV, table IV.1, monaural). The ITU has published a
    /// robustness for three rates of G.722.2 only (table IV.4: 4.3 to 4.9), none for G.722; this one is fitted to
    /// what `bench/concealment` measures of this concealment (wideband PESQ, within 0.4 from 1 to 10 % loss).
    pub const G722: Self = Self { impairment: 13.0, robustness: 4.0, is_wideband: true };
    /// Opus. The ITU has published no figures. Both are fitted to what `make quality` measures at this bridge's bit
    /// rate with forward error correction.
    pub const OPUS: Self = Self { impairment: 8.0, robustness: 20.0, is_wideband: true };
}

/// The transmission rating R with all defaults and no delay (G.107, 7.7), and that of wideband (G.107.1, 7.2).
const R_BEST: f32 = 93.2;
const R_BEST_WIDEBAND: f32 = 129.0;
/// Maps wideband ratings to the scale of opinion scores (G.107.1, annex A).
const WIDEBAND_SCALE: f32 = 1.29;
/// Delay up to this has no effect, in milliseconds (G.107, 7.4, at its default sensitivity).
const DELAY_UNNOTICED_MS: f32 = 100.0;

/// Mean opinion score, 1 (bad) to 4.41 (narrowband) or 4.5 (wideband), of a stream of which `lost` (0 to 1) was
/// concealed, with a mouth-to-ear delay of `delay_ms`.
#[must_use]
pub fn mos(equipment: Equipment, lost: f32, delay_ms: f32) -> f32 {
    let (best, scale) = if equipment.is_wideband { (R_BEST_WIDEBAND, WIDEBAND_SCALE) } else { (R_BEST, 1.0) };
    let r = (best - by_loss(equipment, lost) - by_delay(delay_ms)) / scale;
    let r = r.clamp(0.0, 100.0);
    // G.107, annex B; the curve dips below 1 near its lower end.
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0)
}

/// Ie,eff for random loss (G.107, 7.5; G.107.1, 7.5): the 95 is the same on both scales.
fn by_loss(equipment: Equipment, lost: f32) -> f32 {
    let percent = lost.clamp(0.0, 1.0) * 100.0;
    let Equipment { impairment, robustness, .. } = equipment;
    impairment + (95.0 - impairment) * percent / (percent + robustness)
}

/// Idd: the effect of absolute delay on conversation, without any echo (G.107, 7.4). The echo of a telephone is not
/// known from its packets.
fn by_delay(delay_ms: f32) -> f32 {
    if delay_ms <= DELAY_UNNOTICED_MS {
        return 0.0;
    }
    let x = (delay_ms / DELAY_UNNOTICED_MS).log2();
    let root = |x: f32| (1.0 + x.powi(6)).powf(1.0 / 6.0);
    25.0 * (root(x) - 3.0 * root(x / 3.0) + 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_model() {
        // R 93.2 is 4.41 (G.107, annex B); R 50 is 2.58.
        assert!((mos(Equipment::G711, 0.0, 0.0) - 4.41).abs() < 0.01);
        let of_50 = mos(Equipment { impairment: 43.2, ..Equipment::G711 }, 0.0, 0.0);
        assert!((of_50 - 2.58).abs() < 0.01, "{of_50}");
    }

    #[test]
    fn wideband_is_rated_on_the_scale_of_wideband() {
        // R 129 is 4.5 (G.107.1, annex A); G.722 without loss has 116, which is 4.34.
        let perfect = Equipment { impairment: 0.0, ..Equipment::G722 };
        assert!((mos(perfect, 0.0, 0.0) - 4.5).abs() < 0.01);
        assert!((mos(Equipment::G722, 0.0, 0.0) - 4.34).abs() < 0.01);
        // What bench/concealment measures for G.722 if the packet after the loss has arrived.
        for (percent, measured) in [(1.0, 4.16), (3.0, 3.34), (5.0, 2.75), (10.0, 1.90)] {
            let score = mos(Equipment::G722, percent / 100.0, 0.0);
            assert!((score - measured).abs() < 0.4, "{percent} %: {score}, measured {measured}");
        }
    }

    #[test]
    fn delay_counts_as_the_model_has_it() {
        // G.114, figure 1, shows the curve: nearly nothing until 150 ms, some 24 points at 400 ms.
        assert_eq!(by_delay(100.0), 0.0);
        for (delay_ms, points) in [(150.0, 0.2), (200.0, 3.0), (300.0, 14.8), (400.0, 24.1), (1000.0, 43.8)] {
            let by = by_delay(delay_ms);
            assert!((by - points).abs() < 0.2, "{delay_ms} ms: {by}");
        }
    }

    #[test]
    fn loss_counts_as_the_model_has_it() {
        // G.107: half of the remaining range at as many percent as the robustness says.
        assert!((by_loss(Equipment::G711, 0.251) - 47.5).abs() < 0.01);
        assert!((by_loss(Equipment::G711, 0.01) - 3.64).abs() < 0.01);
        // An example of G.107.1 with the figures of G.722.2 at 12.65 kbit/s.
        let of_g722_2 = Equipment { impairment: 20.0, robustness: 4.3, is_wideband: true };
        assert!((by_loss(of_g722_2, 0.02) - 43.81).abs() < 0.01);
        assert!((mos(of_g722_2, 0.02, 0.0) - 3.406).abs() < 0.002);
    }

    #[test]
    fn loss_and_delay_make_it_worse_and_never_leave_the_scale() {
        let mut last = 5.0;
        for percent in [0, 1, 3, 5, 10, 30, 100] {
            let score = mos(Equipment::G711, percent as f32 / 100.0, 50.0);
            assert!(score < last && score >= 1.0, "{percent} %: {score}");
            last = score;
        }
        assert!(mos(Equipment::OPUS, 0.0, 150.0) > mos(Equipment::OPUS, 0.0, 400.0) + 0.5);
        assert!(mos(Equipment::G711, 9.0, 1e9) >= 1.0);
    }
}
