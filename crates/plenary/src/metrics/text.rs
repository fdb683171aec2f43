//! Families of metrics, and the text that Prometheus reads.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text::encode},
    metrics::MetricType,
    registry::Registry,
};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

/// Before every name.
const PREFIX: &str = "plenary";

pub(super) type Label = (&'static str, String);

/// All values of one name.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: MetricType,
    pub(super) samples: Vec<(Vec<Label>, Sample)>,
}

#[derive(Debug, Clone)]
pub(super) enum Sample {
    Counter(u64),
    Gauge(f64),
    Histogram(Histogram),
    /// Its labels say all.
    Info,
}

/// Counted values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histogram {
    sum: f64,
    /// By upper bound, each without those below it; the last bound is infinite.
    buckets: Vec<(f64, u64)>,
}

impl Histogram {
    pub(super) fn new(bounds: &[f64]) -> Self {
        let bounds = bounds.iter().copied().chain([f64::INFINITY]);
        Self { sum: 0.0, buckets: bounds.map(|bound| (bound, 0)).collect() }
    }

    /// Of values that the media plane has counted, in microseconds.
    pub(super) fn of_micros(bounds: &[u64], counted: &plenary_media::Distribution) -> Self {
        let seconds = bounds.iter().map(|bound| *bound as f64 / 1e6).chain([f64::INFINITY]);
        Self { sum: counted.sum_us as f64 / 1e6, buckets: seconds.zip(counted.buckets).collect() }
    }

    fn add(&mut self, value: f64) {
        self.sum += value;
        if let Some((_, count)) = self.buckets.iter_mut().find(|(bound, _)| value <= *bound) {
            *count += 1;
        }
    }

    fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

/// A [`Histogram`] that grows. None of those who add to it is a media thread.
#[derive(Debug)]
pub(super) struct Observations(Mutex<Histogram>);

impl Observations {
    pub(super) fn new(bounds: &[f64]) -> Self {
        Self(Mutex::new(Histogram::new(bounds)))
    }

    pub(super) fn add(&self, value: f64) {
        self.add_all([value]);
    }

    pub(super) fn add_all(&self, values: impl IntoIterator<Item = f64>) {
        let mut histogram = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.into_iter().for_each(|value| histogram.add(value));
    }

    pub(super) fn read(&self) -> Sample {
        Sample::Histogram(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Sample {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Counter(value) => encoder.encode_counter::<NoLabelSet, _, u64>(value, None),
            Self::Gauge(value) => encoder.encode_gauge(value),
            Self::Histogram(histogram) => encoder.encode_histogram::<NoLabelSet>(
                histogram.sum,
                histogram.count(),
                &histogram.buckets,
                None,
            ),
            Self::Info => Ok(()),
        }
    }
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Family { name, help, kind, samples } in &self.0 {
            let mut encoder = encoder.encode_descriptor(name, help, None, *kind)?;
            for (labels, sample) in samples {
                match sample {
                    Sample::Info => encoder.encode_info(labels)?,
                    sample => sample.encode(encoder.encode_family(labels)?)?,
                }
            }
        }
        Ok(())
    }
}

/// The text of all families.
pub(super) fn text(families: Vec<Family>) -> String {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Families(families)));
    let mut text = String::new();
    encode(&mut text, &registry).expect("writing into a String does not fail");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prometheus_reads() {
        let seconds = Observations::new(&[0.5, 1.0]);
        [0.25, 1.0, 7.0].into_iter().for_each(|value| seconds.add(value));
        let family = |name, kind, samples| Family { name, help: "Help", kind, samples };
        let version = vec![("version", "1.2".to_owned())];
        let odd = vec![("trunk", "a\"b\n".to_owned()), ("door", "sip".to_owned())];
        let text = text(vec![
            family("build", MetricType::Info, vec![(version, Sample::Info)]),
            family("failures", MetricType::Counter, vec![(odd, Sample::Counter(3))]),
            family("ratio", MetricType::Gauge, vec![(Vec::new(), Sample::Gauge(0.5))]),
            family("seconds", MetricType::Histogram, vec![(Vec::new(), seconds.read())]),
        ]);
        let expected = [
            "# HELP plenary_build Help",
            "# TYPE plenary_build info",
            "plenary_build_info{version=\"1.2\"} 1",
            "# HELP plenary_failures Help",
            "# TYPE plenary_failures counter",
            "plenary_failures_total{trunk=\"a\\\"b\\n\",door=\"sip\"} 3",
            "# HELP plenary_ratio Help",
            "# TYPE plenary_ratio gauge",
            "plenary_ratio 0.5",
            "# HELP plenary_seconds Help",
            "# TYPE plenary_seconds histogram",
            "plenary_seconds_sum 8.25",
            "plenary_seconds_count 3",
            "plenary_seconds_bucket{le=\"0.5\"} 1",
            "plenary_seconds_bucket{le=\"1.0\"} 2",
            "plenary_seconds_bucket{le=\"+Inf\"} 3",
            "# EOF",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}
