//! What the machine gives: clock, limits, priorities, disk.

use super::Check;
use crate::config::Config;
use std::{fs, path::Path};

/// Sockets of a call: RTP and RTCP.
const FILES_PER_CALL: u64 = 2;
/// Connections, the database, files.
const FILES_BESIDE: u64 = 2000;
/// A disk is nearly full with less of it free.
const FREE_SHARE_MIN: f64 = 0.1;

pub(super) fn clock() -> Check {
    let name = "clock";
    match plenary_net::is_clock_synchronised() {
        Some(true) => Check::ok(name, "synchronised"),
        Some(false) => Check::warning(
            name,
            "not synchronised",
            "Start chrony, ntpd or systemd-timesyncd: reservations begin by this clock, and certificates are judged by it.",
        ),
        None => Check::skipped(name, "the kernel does not say whether it is synchronised"),
    }
}

/// `process`: that of the service; otherwise this one counts, which starts from the same shell or unit.
pub(super) fn open_files(config: &Config, process: Option<i32>) -> Check {
    let name = "open files";
    let of = process.map_or_else(|| "self".to_owned(), |process| process.to_string());
    let limits = fs::read_to_string(format!("/proc/{of}/limits")).unwrap_or_default();
    let Some(limit) = limit_of(&limits, "Max open files") else {
        return Check::skipped(name, format!("/proc/{of}/limits cannot be read"));
    };
    let wanted = u64::from(config.reservations.capacity) * FILES_PER_CALL + FILES_BESIDE;
    if limit >= wanted {
        return Check::ok(name, format!("{} allowed, {wanted} are enough for every seat", shown(limit)));
    }
    let calls = limit.saturating_sub(FILES_BESIDE) / FILES_PER_CALL;
    Check::warning(
        name,
        format!("{limit} allowed: enough for {calls} calls, of {} seats", config.reservations.capacity),
        format!("Set LimitNOFILE={wanted} in the unit, or `ulimit -n {wanted}` before the start."),
    )
}

/// The soft limit; `unlimited` is a very large one.
fn limit_of(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    let soft = line.split_whitespace().next()?;
    if soft == "unlimited" { Some(u64::MAX) } else { soft.parse().ok() }
}

fn shown(limit: u64) -> String {
    if limit == u64::MAX { "any number".to_owned() } else { limit.to_string() }
}

/// Whether media threads run before all others.
pub(super) fn priority(process: Option<i32>) -> Check {
    let name = "thread priority";
    let is_real_time = match process {
        Some(process) => media_thread_is_real_time(process),
        // On a thread of its own, which ends with it.
        None => std::thread::spawn(plenary_net::run_real_time).join().ok(),
    };
    match is_real_time {
        Some(true) => Check::ok(name, "media threads run in real time"),
        Some(false) => Check::warning(
            name,
            "media threads run like all others",
            "Set LimitRTPRIO=1 in the unit, or `ulimit -r 1`: under load, audio is late otherwise.",
        ),
        None => Check::skipped(name, "the threads of the service cannot be looked at"),
    }
}

/// By the scheduling policy of a thread of the service that mixes.
fn media_thread_is_real_time(process: i32) -> Option<bool> {
    const SCHED_RR: u32 = 2;
    let tasks = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    tasks.filter_map(Result::ok).find_map(|task| {
        let stat = fs::read_to_string(task.path().join("stat")).ok()?;
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let number = name.strip_prefix("media-")?;
        number.parse::<u32>().ok()?;
        // The policy is the 41st field, of which two come before the rest.
        let policy: u32 = rest.split_whitespace().nth(38)?.parse().ok()?;
        Some(policy & !0x4000_0000 == SCHED_RR)
    })
}

pub(super) fn io_uring() -> Check {
    let name = "io_uring";
    match plenary_net::Ring::new() {
        Ok(_) => Check::ok(name, "datagrams of many calls move with one system call"),
        Err(error) => Check::warning(
            name,
            format!("not available ({error}): datagrams take more system calls"),
            "Allow it in the container's seccomp profile and by kernel.io_uring_disabled=0; the kernel has to be 6.0 or later.",
        ),
    }
}

pub(super) fn disk(config: &Config) -> Vec<Check> {
    // Before the first start the folder is not there.
    let mut folder = config.data.as_path();
    while !folder.exists()
        && let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty())
    {
        folder = above;
    }
    let folder = if folder.exists() { folder } else { Path::new(".") };
    vec![free_space(config, folder), is_writable(config, folder)]
}

fn free_space(config: &Config, folder: &Path) -> Check {
    let name = "disk";
    let space = match plenary_net::disk_space(folder) {
        Ok(space) => space,
        Err(error) => {
            return Check::failed(
                name,
                format!("{}: {error}", folder.display()),
                "Name a data folder that can be used.",
            );
        }
    };
    let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    let free = format!("{} of {} free at {}", gigabytes(space.free), gigabytes(space.size), folder.display());
    if config.recordings.enabled && space.free < config.recordings.keep_free_bytes {
        let kept = gigabytes(config.recordings.keep_free_bytes);
        return Check::failed(
            name,
            format!("{free}: no conference is recorded while less than {kept} are"),
            "Delete recordings, shorten recordings.days, or set recordings.keep_free_bytes.",
        );
    }
    if (space.free as f64) < space.size as f64 * FREE_SHARE_MIN {
        return Check::warning(name, free, "Make room: the database needs some to go on.");
    }
    Check::ok(name, free)
}

fn is_writable(config: &Config, folder: &Path) -> Check {
    let name = "data folder";
    match tempfile::tempfile_in(folder) {
        Ok(_) => Check::ok(name, format!("{} can be written to", config.data.display())),
        Err(error) => Check::failed(
            name,
            format!("{}: {error}", folder.display()),
            "Run this as the user that the service runs as, and let the folder belong to it.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
             Max cpu time              unlimited            unlimited            seconds   \n\
             Max open files            1024                 524288               files     \n";
        assert_eq!(limit_of(limits, "Max open files"), Some(1024));
        assert_eq!(limit_of(limits, "Max cpu time"), Some(u64::MAX));
        assert_eq!(limit_of(limits, "Max anything"), None);
    }

    #[test]
    fn a_limit_that_is_too_low_says_for_how_many_calls_it_is_enough() {
        let mut config = Config::default();
        config.reservations.capacity = 1;
        assert_eq!(open_files(&config, None).status, super::super::Status::Ok);
        config.reservations.capacity = u32::MAX;
        let check = open_files(&config, None);
        // Where everything is allowed there is nothing to say.
        if check.status != super::super::Status::Ok {
            assert!(check.action.unwrap().contains("LimitNOFILE=8589936590"), "{}", check.detail);
        }
    }
}
