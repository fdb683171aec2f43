//! How a call sounds, as one number: the E-model (ITU-T G.107), with what is known of a stream.

/// How a codec takes losses: the E-model's equipment impairment without loss, and its robustness against random loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Equipment {
    /// Ie, 0 (none) to 40.
    pub impairment: f32,
    /// Bpl: the higher, the less a loss is heard.
    pub robustness: f32,
}

impl Equipment {
    /// G.711 with concealment (ITU-T G.113, table I.4: Bpl 25.1).
    pub const G711: Self = Self { impairment: 0.0, robustness: 25.1 };
    /// G.722 with concealment. G.113 has figures on the wideband scale only; the robustness is chosen after those of
    /// codecs with a like frame length.
    pub const G722: Self = Self { impairment: 0.0, robustness: 17.0 };
    /// Opus, which conceals by itself; chosen like that of G.722.
    pub const OPUS: Self = Self { impairment: 0.0, robustness: 20.0 };
}

/// The rating of transmission (R) with all defaults and no delay (G.107, 7.6).
const R_BEST: f32 = 93.2;

/// Mean opinion score, 1 (bad) to 4.41 (excellent on the scale of telephony), of a stream of which `lost` (0 to 1) had
/// to be made up and which takes `delay_ms` from mouth to ear.
#[must_use]
pub fn mos(equipment: Equipment, lost: f32, delay_ms: f32) -> f32 {
    let percent = lost.clamp(0.0, 1.0) * 100.0;
    let Equipment { impairment, robustness } = equipment;
    let by_loss = impairment + (95.0 - impairment) * percent / (percent + robustness);
    // Talking over each other, by the approximation of Cole and Rosenbluth.
    let late = (delay_ms - 177.3).max(0.0);
    let by_delay = 0.024 * delay_ms.max(0.0) + 0.11 * late;
    let r = (R_BEST - by_loss - by_delay).clamp(0.0, 100.0);
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
        let of_50 = mos(Equipment { impairment: 43.2, robustness: 25.1 }, 0.0, 0.0);
        assert!((of_50 - 2.58).abs() < 0.01, "{of_50}");
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
