//! WAV files: reads any usual format, writes 16-bit mono.

use crate::CallerError;
use plenary_audio::resample::Resampler;
use std::path::Path;

/// Reads a file as mono, resampled to `rate_hz`.
///
/// # Errors
/// [`CallerError::Wav`].
pub fn read(path: &Path, rate_hz: u32) -> Result<Vec<i16>, CallerError> {
    let wrong = |error: hound::Error| CallerError::Wav { path: path.to_owned(), text: error.to_string() };
    let mut reader = hound::WavReader::open(path).map_err(wrong)?;
    let spec = reader.spec();
    let samples: Vec<f32> = match spec.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>().map_err(wrong)?,
        hound::SampleFormat::Int => {
            let full_scale = (1_i64 << (spec.bits_per_sample - 1)) as f32;
            let scaled =
                reader.samples::<i32>().map(|sample| sample.map(|sample| sample as f32 / full_scale));
            scaled.collect::<Result<_, _>>().map_err(wrong)?
        }
    };
    let channels = usize::from(spec.channels.max(1));
    let mono: Vec<i16> = samples
        .chunks(channels)
        .map(|frame| {
            (frame.iter().sum::<f32>() / channels as f32 * 32_767.0).clamp(-32_768.0, 32_767.0) as i16
        })
        .collect();
    Ok(Resampler::convert(&mono, spec.sample_rate, rate_hz))
}

/// Writes 16-bit mono.
///
/// # Errors
/// [`CallerError::Wav`].
pub fn write(path: &Path, samples: &[i16], rate_hz: u32) -> Result<(), CallerError> {
    let wrong = |error: hound::Error| CallerError::Wav { path: path.to_owned(), text: error.to_string() };
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).map_err(wrong)?;
    for sample in samples {
        writer.write_sample(*sample).map_err(wrong)?;
    }
    writer.finalize().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_samples_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let tone = plenary_audio::tone::tone(8000, 440.0, -6.0, 100);
        write(&path, &tone, 8000).unwrap();
        let read = read(&path, 8000).unwrap();
        assert_eq!(read.len(), tone.len());
        assert!(read.iter().zip(&tone).all(|(a, b)| (a - b).abs() <= 1));
    }

    #[test]
    fn an_error_names_a_file_that_is_not_wav() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.wav");
        std::fs::write(&path, "hello").unwrap();
        assert!(read(&path, 8000).unwrap_err().to_string().contains("b.wav"));
    }
}
