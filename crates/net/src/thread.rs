//! When the calling thread runs.

/// Wakes this thread when it asked to be woken, not up to 50 µs later. Without effect where that is not allowed.
pub fn wake_precisely() {
    // SAFETY: takes numbers and touches no memory of ours.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64, 0_u64, 0_u64, 0_u64);
    }
}

/// Runs this thread before all ordinary ones (`SCHED_RR`), where that is allowed (root, or `LimitRTPRIO`). Says whether it
/// is. The kernel leaves a part of each second to others (`sched_rt_runtime_us`), and threads that this one begins are
/// ordinary ones.
pub fn run_real_time() -> bool {
    let parameters = libc::sched_param { sched_priority: 1 };
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: a struct that lives through the call is read. On Linux 0 is the calling thread and not its process.
    unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) == 0 }
}

/// Runs this thread before those of ordinary work when there is too much of it: real-time scheduling where that is allowed,
/// else as much priority as there is.
pub fn run_before_others() {
    const NICENESS: libc::c_int = -10;
    if !run_real_time() {
        // SAFETY: takes numbers and touches no memory of ours. On Linux 0 is the calling thread and not its process.
        unsafe {
            libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS);
        }
    }
}
