//! Scheduling of the calling thread.

/// Reduces the timer slack of this thread from 50 µs to the minimum, so that sleeps end on time. Without effect if it is not
/// allowed.
pub fn wake_precisely() {
    // SAFETY: takes numbers and touches no memory of the process.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64, 0_u64, 0_u64, 0_u64);
    }
}

/// Gives this thread real-time scheduling (`SCHED_RR`), ahead of all ordinary threads. False: it is not allowed (it needs
/// root or `LimitRTPRIO`). The kernel leaves a part of each second to other threads (`sched_rt_runtime_us`), and threads
/// that this one starts are ordinary ones.
pub fn run_real_time() -> bool {
    let parameters = libc::sched_param { sched_priority: 1 };
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: a struct that lives through the call is read. On Linux 0 is the calling thread and not its process.
    unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) == 0 }
}

/// Runs this thread ahead of ordinary ones under load: by real-time scheduling if that is allowed, otherwise by niceness -10
/// if that is.
pub fn run_before_others() {
    const NICENESS: libc::c_int = -10;
    if !run_real_time() {
        // SAFETY: takes numbers and touches no memory of the process. On Linux 0 is the calling thread and not its process.
        unsafe {
            libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS);
        }
    }
}
