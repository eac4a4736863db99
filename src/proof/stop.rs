//! System calls of a traced thread, where the kernel stops it.

/// The reason for which a traced thread has stopped.
pub(super) enum Stop {
    /// It is about to make the call with this number and these arguments.
    Entry(libc::c_long, [u64; 6]),
    /// It has made the call. The result is negative for an error.
    Exit(i64),
    /// It makes a call by the numbers of another architecture, such as those of 32-bit programs.
    Foreign,
    Other,
}

/// The architecture whose numbers libc has (`linux/audit.h`).
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// Returns the call that the stopped thread is about to make or has just made
/// (`PTRACE_GET_SYSCALL_INFO`, Linux 5.3). Makes one system call and nothing else.
pub(super) fn syscall_stop(thread: libc::pid_t) -> Stop {
    // SAFETY: all-zero bytes are a valid value of this struct and of its union of integers; the
    // kernel writes at most the size given.
    let info = unsafe {
        let mut info: libc::ptrace_syscall_info = std::mem::zeroed();
        let size = size_of_val(&info);
        if libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, thread, size, &raw mut info) <= 0 {
            return Stop::Other;
        }
        info
    };
    if info.arch != ARCHITECTURE {
        return Stop::Foreign;
    }
    // SAFETY: `op` says which member of the union the kernel filled in.
    unsafe {
        match info.op {
            libc::PTRACE_SYSCALL_INFO_ENTRY => {
                Stop::Entry(info.u.entry.nr as libc::c_long, info.u.entry.args)
            }
            libc::PTRACE_SYSCALL_INFO_EXIT => Stop::Exit(info.u.exit.sval),
            _ => Stop::Other,
        }
    }
}
