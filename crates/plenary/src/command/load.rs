//! `plenary load`.

use crate::cli;
use plenary_caller::{
    DurationQuantiles,
    load::{LoadReport, LoadSpec, Percentiles},
};
use std::{io::Write, process::ExitCode};

pub(super) async fn run(flags: cli::Load) -> anyhow::Result<ExitCode> {
    if flags.rooms > flags.participants {
        anyhow::bail!(
            "--rooms {} is more than --participants {}: every room needs a participant",
            flags.rooms,
            flags.participants
        );
    }
    let spec = LoadSpec {
        target: flags.target,
        participants: flags.participants,
        rooms: flags.rooms,
        talkers: flags.talkers,
        in_turn: flags.in_turn,
        settle: flags.settle,
        seconds: flags.seconds,
        codecs: flags.codecs.iter().map(|codec| codec.codec()).collect(),
        noise_dbov: flags.noise.map(f32::from),
        audio_levels: flags.audio_levels,
        probes: flags.probes,
        ramp: flags.ramp,
        server_pid: flags.server_pid,
    };
    let progress = |text: &str| {
        let _ = writeln!(std::io::stderr(), "{text}");
    };
    let report = plenary_caller::load::run(&spec, progress).await?;
    let mut out = std::io::stdout().lock();
    if flags.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&mut out, &report)?;
    }
    let is_clean = report.calls_refused.is_empty() && report.calls_lost == 0 && report.tones_wrong == 0;
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(out: &mut impl Write, report: &LoadReport) -> std::io::Result<()> {
    let quantiles = |p: Percentiles| format!("p50 {:.1}, p99 {:.1}, max {:.1}", p.p50, p.p99, p.max);
    writeln!(out, "Calls          {} up, {} lost", report.calls_up, report.calls_lost)?;
    for (status, count) in &report.calls_refused {
        writeln!(out, "               {count} refused with {status}")?;
    }
    writeln!(out, "Set-up         {} ms", quantiles(report.setup_ms))?;
    writeln!(
        out,
        "Packets        {} sent, {} received in {:.1} s; lost {:.3} %, missing {:.3} %",
        report.packets_sent,
        report.packets_received,
        report.seconds,
        report.lost_percent,
        report.missing_percent
    )?;
    writeln!(out, "Jitter         {} ms", quantiles(report.jitter_ms))?;
    writeln!(out, "Media clock    {} ms apart from real time", quantiles(report.clock_ms))?;
    let fine = |q: DurationQuantiles| {
        format!("p50 {:.1}, p99 {:.1}, p99.9 {:.1}, max {:.1}", q.p50, q.p99, q.p999, q.max)
    };
    writeln!(out, "Off the grid   {} ms", fine(report.off_grid_ms))?;
    if report.delay_ms.count > 0 {
        writeln!(
            out,
            "Delay          {} ms from a packet sent to its sound received, {} times",
            fine(report.delay_ms),
            report.delay_ms.count
        )?;
    }
    writeln!(out, "Longest gap    {} ms", quantiles(report.gap_ms))?;
    writeln!(out, "Tones          {} right, {} wrong", report.tones_right, report.tones_wrong)?;
    if let (Some(cpu), Some(each)) = (report.server_cpu_percent, report.server_cpu_percent_per_participant) {
        writeln!(out, "Server CPU     {cpu:.1} % of a core, {each:.4} % for each caller")?;
    }
    if let Some((with, without)) = report.server_memory_kb {
        let each = with.saturating_sub(without) as f32 / report.calls_up.max(1) as f32;
        writeln!(out, "Server memory  {with} kB, {without} kB before: {each:.1} kB for each caller")?;
    }
    writeln!(
        out,
        "Generator      {:.1} % of a core; {} of {} phases late, at worst by {:.1} ms; {} datagrams not taken",
        report.own_cpu_percent,
        report.own_load.late,
        report.own_load.phases,
        report.own_load.lateness_ms_max,
        report.own_load.send_failed
    )
}
