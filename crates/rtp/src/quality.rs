//! How a call sounds, as one number: the E-model with what is known of a stream. Telephony of 3.4 kHz is rated on its own
//! scale (ITU-T G.107, R up to 93.2), wideband on the wideband one (G.107.1, R up to 129), so that each says how it
//! sounds to people who are used to it: 4.41 is the best of G.711, 4.34 that of G.722. The two do not compare.

/// How a codec takes losses: the E-model's equipment impairment without loss, and its robustness against random loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Equipment {
    /// Ie or Ie,wb, 0 (none) to 60.
    pub impairment: f32,
    /// Bpl or Bpl,wb: the higher, the less a loss is heard.
    pub robustness: f32,
    /// On the wideband scale.
    pub is_wideband: bool,
}

impl Equipment {
    /// G.711 with concealment (ITU-T G.113, table I.4: Bpl 25.1).
    pub const G711: Self = Self { impairment: 0.0, robustness: 25.1, is_wideband: false };
    /// G.722 at 64 kbit/s: Ie,wb 13 (ITU-T G.113, table IV.1). The ITU has published no robustness; this one makes the
    /// model agree with what `bench/concealment` measures (wideband PESQ, within 0.4 from 1 to 10 % of loss).
    pub const G722: Self = Self { impairment: 13.0, robustness: 4.0, is_wideband: true };
    /// Opus. The ITU has published no figures; these make the model agree with what `make quality` measures at our own
    /// rate with forward error correction.
    pub const OPUS: Self = Self { impairment: 8.0, robustness: 20.0, is_wideband: true };
}

/// The rating of transmission (R) with all defaults and no delay (G.107, 7.6), and that of wideband (G.107.1, 7.2).
const R_BEST: f32 = 93.2;
const R_BEST_WIDEBAND: f32 = 129.0;
/// Wideband ratings are brought to the scale of opinions by this (G.107.1, annex A).
const WIDEBAND_SCALE: f32 = 1.29;

/// Mean opinion score, 1 (bad) to 4.41 (the best that 3.4 kHz can be) or 4.5 (wideband), of a stream of which `lost` (0
/// to 1) had to be made up and which takes `delay_ms` from mouth to ear.
#[must_use]
pub fn mos(equipment: Equipment, lost: f32, delay_ms: f32) -> f32 {
    let percent = lost.clamp(0.0, 1.0) * 100.0;
    let Equipment { impairment, robustness, is_wideband } = equipment;
    let by_loss = impairment + (95.0 - impairment) * percent / (percent + robustness);
    // Talking over each other, by the approximation of Cole and Rosenbluth.
    let late = (delay_ms - 177.3).max(0.0);
    let by_delay = 0.024 * delay_ms.max(0.0) + 0.11 * late;
    let (best, scale) = if is_wideband { (R_BEST_WIDEBAND, WIDEBAND_SCALE) } else { (R_BEST, 1.0) };
    let r = ((best - by_loss - by_delay) / scale).clamp(0.0, 100.0);
    // G.107, annex B; the curve dips below 1 near its lower end.
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0)
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
        // What bench/concealment measures for G.722 where the packet after the loss is here.
        for (percent, measured) in [(1.0, 4.16), (3.0, 3.34), (5.0, 2.75), (10.0, 1.90)] {
            let score = mos(Equipment::G722, percent / 100.0, 0.0);
            assert!((score - measured).abs() < 0.4, "{percent} %: {score}, measured {measured}");
        }
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
